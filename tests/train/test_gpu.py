"""Which GPU trains, by fakes: the first that is visible, and its number is no part of the recipe."""

from __future__ import annotations

import os

import pytest
import torch

from dbgan.params import TrainingParams
from dbgan.recipe import recipe
from dbgan.train.numerics import Numerics

CAPABILITIES = {"0": (9, 0), "1": (9, 0), "2": (8, 0), "3": (7, 5)}
"""Of the GPUs of a made-up machine, by number."""


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch on it: device 0 is the first of CUDA_VISIBLE_DEVICES."""

    def visible(device: str = "cuda", **_: bool) -> tuple[int, int]:
        return CAPABILITIES[os.environ["CUDA_VISIBLE_DEVICES"].split(",")[torch.device(device).index or 0]]

    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(os.environ["CUDA_VISIBLE_DEVICES"]))
    monkeypatch.setattr(torch.cuda, "get_device_capability", visible)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **how: visible(**how) >= (8, 0))
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 91000)


def known_as(monkeypatch: pytest.MonkeyPatch, visible: str) -> tuple[str, str, str]:
    """Device, precision and recipe of a training where these GPUs are visible."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    numerics = Numerics.choose(TrainingParams())
    return numerics.device, numerics.precision, recipe("train", 1, {}, {}, numerics.describe())


@pytest.mark.usefixtures("machine")
def test_equal_gpus_are_one_recipe_whatever_their_number_and_other_kinds_are_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second, older, oldest = (known_as(monkeypatch, number) for number in "0123")
    assert first == second
    assert first[:2] == ("cuda", "bf16")
    assert older[:2] == ("cuda", "bf16")
    assert oldest[:2] == ("cuda", "fp32")
    assert len({first[2], older[2], oldest[2]}) == 3
    assert known_as(monkeypatch, "2,0") == older  # the first visible one


@pytest.mark.usefixtures("machine")
def test_a_machine_whose_gpus_are_hidden_trains_on_its_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert known_as(monkeypatch, "")[0] == "cpu"

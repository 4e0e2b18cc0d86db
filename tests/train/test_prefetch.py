"""Batches made ahead are those that would have been made in time."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dbgan.params import TrainingParams
from dbgan.train.batches import Batches
from dbgan.train.data import open_set
from dbgan.train.feed import crops_of, in_time
from dbgan.train.prefetch import Prefetched

TRAINING = TrainingParams(crop=32, batch=4, cache="none", prefetch=3)


def batches(datasets: Path) -> Batches:
    return crops_of(open_set(datasets, ["pairs"], ("blur", "sharp"), "train", cache="none"), TRAINING, "pairs")


def test_ahead_and_by_several_threads_the_bytes_are_the_same(datasets: Path) -> None:
    made, plain = in_time(batches(datasets), TRAINING), batches(datasets)
    assert isinstance(made, Prefetched)
    for step in [*range(12), 3, 40, 41, 0]:  # on, back, far on, and from the start
        for expected, found in zip(plain(step), made(step), strict=True):
            assert torch.equal(expected, found)


def test_what_comes_next_is_in_the_making_before_it_is_asked() -> None:
    begun = [threading.Event() for _ in range(4)]

    def make(step: int) -> tuple[Tensor, ...]:
        begun[step].set()
        return (torch.tensor(step),)

    made = Prefetched(make, 2)
    assert int(made(0)[0]) == 0
    assert all(event.wait(5) for event in begun[:3])
    assert not begun[3].is_set()


def test_waiting_is_measured() -> None:
    def slow(step: int) -> tuple[Tensor, ...]:
        time.sleep(0.05)
        return (torch.tensor(step),)

    made = Prefetched(slow, 1)
    made(0)
    assert made.waited_s > 0.04
    time.sleep(0.1)
    before = made.waited_s
    made(1)
    assert made.waited_s - before < 0.02


def test_an_error_in_the_making_reaches_the_step_that_needs_it() -> None:
    def failing(step: int) -> tuple[Tensor, ...]:
        if step == 2:
            raise ValueError("step 2 cannot be made")
        return (torch.tensor(step),)

    made = Prefetched(failing, 2)
    assert [int(made(step)[0]) for step in (0, 1)] == [0, 1]
    with pytest.raises(ValueError, match="step 2 cannot be made"):
        made(2)


def test_frames_on_the_device_are_not_made_ahead(datasets: Path) -> None:
    plain = batches(datasets)
    assert in_time(plain, TRAINING.model_copy(update={"cache": "device"})) is plain
    assert in_time(plain, TRAINING.model_copy(update={"prefetch": 0})) is plain

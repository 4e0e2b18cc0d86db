"""The registry: every network keeps the same promises, and a new one is a module and a line."""

from __future__ import annotations

import sys
import types

import pytest
import torch
from torch import Tensor, nn

from dbgan.errors import ParamsError
from dbgan.networks import Generator, generator, load_weights, registry, save_weights
from dbgan.networks.registry import Entry


def test_every_entry_builds_what_its_defaults_say_for_each_of_its_kinds() -> None:
    for network in registry.HOMES:
        for kind in registry.entry(network).kinds:
            entry = registry.entry(network)
            built = entry.build(kind=kind, **entry.options)
            assert isinstance(built, Generator)
            assert built.kind == built.architecture["kind"] == kind
            assert built.architecture["network"] == registry.stored_name(network)
            assert isinstance(built.receptive_radius, int)


def test_files_of_the_first_version_still_name_the_papers_network() -> None:
    assert registry.stored_networks()["generator"] == "residual"
    facts = {"network": "generator", "kind": "bgan", "block": "plain", "blocks": 1, "width": 4, "growth": 32}
    assert generator("bgan", blocks=1, width=4).architecture == {**facts, "noise": "input"}


class Gain(Generator):
    """Another network: one number."""

    def __init__(self, kind: str, gain: float) -> None:
        super().__init__()
        self.kind, self.receptive_radius = kind, 0
        self.architecture = {"network": "gain", "kind": kind, "gain": gain}
        self.gain = nn.Parameter(torch.tensor(gain))

    def forward(self, image: Tensor, z: Tensor | None = None) -> Tensor:
        self.check(image, z)
        return image * self.gain


def test_a_new_network_is_one_module_and_one_line(tmp_path, monkeypatch) -> None:
    module = types.ModuleType("networks_of_my_own")
    module.ENTRY = Entry(kinds=("dbgan",), options={"gain": 1.0}, build=Gain, initialise=lambda *_: None)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(registry.HOMES, "gain", module.__name__)
    network = generator("dbgan", network="gain", gain=0.5)
    image = torch.rand(1, 3, 4, 4)
    assert torch.equal(network(image), image * 0.5)
    save_weights(tmp_path / "w.safetensors", network)
    loaded = load_weights(tmp_path / "w.safetensors")
    assert isinstance(loaded, Gain)
    assert torch.equal(loaded(image), image * 0.5)


def test_head_is_another_word_for_network() -> None:
    assert type(generator("bgan", head="residual", blocks=1, width=4)) is type(generator("bgan", blocks=1, width=4))
    with pytest.raises(ParamsError, match="two names of one choice"):
        generator("dbgan", head="residual", network="nafnet")


def test_what_is_not_registered_is_named() -> None:
    with pytest.raises(ParamsError, match=r"network: expected one of residual, nafnet.*found 'restormer'"):
        generator("dbgan", network="restormer")
    with pytest.raises(ParamsError, match="kind: expected one of bgan, dbgan, found 'gan'"):
        generator("gan")  # type: ignore[arg-type]
    with pytest.raises(ParamsError, match=r"has no option 'widht'(.|\n)*did you mean 'width'"):
        generator("dbgan", widht=4)

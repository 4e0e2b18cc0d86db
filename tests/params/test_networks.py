"""Parameters of networks: each network is given its own fields, and fields without effect are refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from dbgan.networks import generator
from dbgan.params import BganParams, DbganCommon, GeneratorParams


def test_arguments_build_the_network_that_they_describe() -> None:
    own = GeneratorParams(block="rdb", blocks=2, width=4, growth=4, global_residual=False, clamp=False)
    network = generator("dbgan", **own.arguments())
    assert (len(network.blocks), network.global_residual, network.clamp) == (2, False, False)
    nafnet = GeneratorParams(network="nafnet", width=4, nafnet={"encoder": [1, 2], "decoder": [1, 1], "pooling": 64})
    built = generator("dbgan", **nafnet.arguments()).architecture
    assert (built["network"], built["encoder"], built["pooling"], built["width"]) == ("nafnet", [1, 2], 64, 4)


def test_defaults_of_parameters_are_the_networks_own() -> None:
    defaults = generator("dbgan", width=4, growth=4).architecture
    assert generator("dbgan", **GeneratorParams(width=4, growth=4).arguments()).architecture == defaults
    nafnet = generator("dbgan", **GeneratorParams(network="nafnet", width=4).arguments())
    assert nafnet.architecture == generator("dbgan", network="nafnet", width=4).architecture


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"network": "nafnet", "block": "rrdb", "growth": 16}, "block, growth: no effect with network nafnet"),
        ({"nafnet": {"middle": 2}}, "nafnet: no effect with network residual"),
        ({"network": "nafnet", "nafnet": {"encoder": [1, 1]}}, "decoder has 4 scales and encoder 2"),
        ({"init": "zero_last", "global_residual": False}, "needs global_residual"),
    ],
)
def test_fields_without_effect_are_refused(values, named) -> None:
    with pytest.raises(ValidationError, match=named):
        GeneratorParams.model_validate(values)


def test_parameters_that_were_written_out_whole_read_back() -> None:
    for own in (GeneratorParams(), GeneratorParams(network="nafnet", width=32)):
        assert GeneratorParams.model_validate(own.model_dump()) == own


def test_a_network_is_refused_where_it_cannot_work() -> None:
    phases = {"phase_synthetic": {"steps": 1}, "phase_real": {"steps": 1}}
    sources = {"sharp": ["a"], "synthetic": ["a"], "real": ["b"]}
    with pytest.raises(ValidationError, match="nafnet takes no noise z"):
        BganParams.model_validate({**sources, **phases, "generator": {"network": "nafnet"}})
    with pytest.raises(ValidationError, match="noise blocks: a network that restores has none"):
        DbganCommon.model_validate({"pairs": ["a"], "generator": {"noise": "blocks"}})


def test_a_trajectory_takes_its_own_fields_and_depth_and_width() -> None:
    own = GeneratorParams(network="trajectory", blocks=2, width=24, trajectory={"max_path": 30.0})
    expected = {"network": "trajectory", "blocks": 2, "width": 24, "init": "kaiming"}
    assert own.arguments() == {**expected, "layers": 2, "samples": 13, "max_path": 30.0, "max_defocus": 3.0}
    assert generator("bgan", **own.arguments()).architecture["max_path"] == 30.0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"network": "trajectory", "noise": "blocks"}, "noise: no effect with network trajectory"),
        ({"network": "trajectory", "init": "zero_last"}, "without motion a trajectory has no gradient"),
        ({"trajectory": {"samples": 5}}, "trajectory: no effect with network residual"),
    ],
)
def test_what_a_trajectory_has_not_is_refused(given, words) -> None:
    with pytest.raises(ValidationError, match=words):
        GeneratorParams(**given)

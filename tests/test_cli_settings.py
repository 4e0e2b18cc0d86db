"""`--set KEY=VALUE`: YAML values, keys within keys, and wrong ones in words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dbgan import cli
from dbgan.errors import ParamsError
from dbgan.params import IngestParams, SampleParams, SynthesizeParams
from tests.commands import dbgan


def test_settings_are_yaml_and_validated() -> None:
    texts = ["blur=blur_gamma", "max_reject_fraction=1e-1", "quality=false", 'device={"a*": b}']
    params = cli.with_settings(IngestParams, texts, layout="gopro")
    assert params == IngestParams(
        layout="gopro", blur="blur_gamma", max_reject_fraction=0.1, quality=False, device={"a*": "b"}
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("min_sid=3", r"min_sid: no such key\. Did you mean 'min_side'\?"),
        ("min_side=-3", r"min_side: .*greater than or equal to 1.*-3"),
        ("min_side", r"expected KEY=VALUE"),
        ("=3", r"expected KEY=VALUE"),
        ("layout=paired", r"an option of its own, --layout"),
        ("device=[", r"not YAML"),
    ],
)
def test_a_wrong_setting_is_bad_usage_and_says_why(tmp_path: Path, text: str, message: str) -> None:
    done = dbgan("ingest", tmp_path, tmp_path / "out", "--layout", "captures", "--set", text)
    assert done.exit_code == 2
    assert re.search(message, done.stderr)
    assert not (tmp_path / "out").exists()


def test_a_setting_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="seed was given before, as 1"):
        cli.with_settings(SampleParams, ["seed=1", "seed=2"])


def test_a_key_within_another_is_set_by_dots() -> None:
    """As `dbgan params explain` and `dvc exp run -S` write them."""
    texts = ["average.frames=5", "average.interpolate=4", "seed=3"]
    params = cli.with_settings(SynthesizeParams, texts, sharp=["s"], model="average")
    assert (params.average.frames, params.average.interpolate, params.seed) == (5, 4, 3)
    whole = cli.with_settings(
        SynthesizeParams, ["average={frames: 5, interpolate: 4}", texts[2]], sharp=["s"], model="average"
    )
    assert params == whole


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["average.frames=5", "average.frames=7"], r"average\.frames was given before, as 5"),
        (["average=5", "average.frames=7"], r"average was given before, as 5"),
        (["average.frames=5", "average=7"], r"average was given before, as \{'frames': 5\}"),
        (["average.frams=5"], r"average\.frams: no such key\. Did you mean 'frames'\?"),
        (["frames=5"], r"frames: no such key\. Did you mean 'average\.frames'\?"),
    ],
)
def test_keys_within_keys_are_checked_as_all_others(texts: list[str], message: str) -> None:
    with pytest.raises(ParamsError, match=message):
        cli.with_settings(SynthesizeParams, texts, sharp=["s"], model="average")

"""A short, repeatable sweep of damaged pictures and corpora; `python -m tests.fuzz --seconds N` goes on for longer."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutate import KINDS, Edit, mutated
from tests.fuzz.targets import build, containers, pictures, read_container, read_corpus, read_picture

PICTURES = pictures()
EDITS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6
)
SWEEP = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)


@pytest.mark.parametrize("name", PICTURES)
def test_sound_pictures_decode(name: str) -> None:
    assert read_picture(PICTURES[name]) == "decoded"


@pytest.mark.parametrize("name", PICTURES)
@given(edits=EDITS)
@SWEEP
def test_damaged_pictures_are_decoded_or_refused(name: str, edits: list[Edit]) -> None:
    read_picture(mutated(PICTURES[name], edits))


@given(data=st.binary(max_size=200), start=st.sampled_from(sorted({data[:12] for data in PICTURES.values()})))
@SWEEP
def test_noise_behind_a_signature_is_refused(data: bytes, start: bytes) -> None:
    read_picture(start + data)


@pytest.fixture(scope="module")
def holders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    folder = tmp_path_factory.mktemp("containers")
    return folder, containers(folder)


@pytest.mark.parametrize("kind", [".mp4", ".mkv", ".mov", ".avi", ".tar"])
@given(edits=EDITS)
@SWEEP
def test_damaged_clips_and_tars_are_read_or_refused(
    holders: tuple[Path, dict[str, bytes]], kind: str, edits: list[Edit]
) -> None:
    folder, whole = holders
    path = folder / f"damaged{kind}"
    path.write_bytes(whole[kind])
    assert read_container(path) > 2
    path.write_bytes(mutated(whole[kind], edits))
    read_container(path)


class Sound:
    """A sound corpus whose files are damaged one at a time; a short name in Hypothesis's reports."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.whole = folder, build(folder)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    return Sound(tmp_path_factory.mktemp("fuzz") / "tiny")


def test_a_sound_corpus_reads_in_every_way(sound: Sound) -> None:
    assert read_corpus(sound.folder) == 4


@pytest.mark.parametrize("kind", [".tar", ".parquet", ".json"])
@given(pick=st.integers(0, 99), edits=EDITS)
@SWEEP
def test_damaged_corpora_are_read_or_refused(sound: Sound, kind: str, pick: int, edits: list[Edit]) -> None:
    folder, whole = sound.folder, sound.whole
    names = [name for name in whole if name.endswith(kind)]
    name = names[pick % len(names)]
    try:
        (folder / name).write_bytes(mutated(whole[name], edits))
        read_corpus(folder)
    finally:
        (folder / name).write_bytes(whole[name])

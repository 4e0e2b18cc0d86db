"""One pair made again: the stored bytes, or words that say why not."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from dbgan.corpus import Corpus
from dbgan.errors import CorpusError, DbganError
from dbgan.networks import generator, save_weights
from dbgan.params import SynthesizeParams
from dbgan.synthesize import blur_corpus, make_like, synthesize
from tests.blur.test_frames import PLUG_IN
from tests.synthesize.tiny import make_source


@pytest.fixture
def mixed(datasets: Path, models: Path) -> Path:
    """datasets/synthetic/mix: bgan, kernel and average, seen by a camera."""
    values = {"sharp": ["city"], "generator": "g", "variants": 4, "shard_samples": 2, "threads": 1, "camera": "default"}
    values |= {"models": {"bgan": 1, "kernel": 1, "average": 1}, "average": {"frames": 3, "stride": 1}}
    out = datasets / "synthetic/mix"
    synthesize("mix", SynthesizeParams.model_validate(values), datasets, models, out)
    return out


def test_every_pair_of_every_model_is_made_again_bit_exact(mixed: Path) -> None:
    corpus = Corpus.open(mixed)
    methods = dict(corpus.table(["key", "method"]).itertuples(index=False, name=None))
    assert set(methods.values()) == {"bgan", "kernel", "average"}
    for key in methods:
        made = make_like(mixed, key)
        assert made.equal, str(made)
        assert made.data == corpus.encoded(key, "blur")
    assert "the same" in str(made)


@pytest.mark.parametrize("image", ["jpg", "webp"])
def test_pairs_of_other_file_types_are_made_again_bit_exact(datasets: Path, tmp_path: Path, image: str) -> None:
    settings = {"image": image, "jpeg_quality": 80, "camera": "default"}
    blur_corpus(datasets / "train/city", tmp_path / "out", model="kernel", settings=settings)
    assert make_like(tmp_path / "out", "street/001-v0", source=datasets / "train/city").equal


def test_an_average_is_made_again_by_the_interpolator_that_made_it(
    datasets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "frames_of_mine.py"
    module.write_text(PLUG_IN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    settings = {"average": {"frames": 3, "interpolate": 2, "interpolator": "frames_of_mine:Fade"}, "camera": "default"}
    out = datasets / "train/out"
    blur_corpus(datasets / "train/city", out, model="average", settings=settings)
    key = Corpus.open(out).keys[0]
    assert json.loads(Corpus.open(out)[key].meta["parameters"])["interpolator"] == "fade"
    assert make_like(out, key).equal
    monkeypatch.delitem(sys.modules, "frames_of_mine")
    module.write_text(PLUG_IN.replace('"revision": 1', '"revision": 22'))
    with pytest.raises(DbganError, match=r"made by interpolator 'fade' {'revision': 1}, found 'fade' {'revision': 22}"):
        make_like(out, key)


def test_other_bytes_are_told_with_what_changed(datasets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dbgan.synthesize import like

    out = datasets / "train/out"
    blur_corpus(datasets / "train/city", out, model="kernel")
    original = like.again
    monkeypatch.setattr(like, "again", lambda *given: original(*given) ^ 4)
    monkeypatch.setattr(like, "codec_versions", lambda: {"opencv": "9.9"})
    made = make_like(out, "street/001-v0")
    assert not made.equal
    assert "pixels differ by up to 4 of 255. Since then: opencv " in str(made)
    assert "is 9.9 now" in str(made)


def test_what_is_missing_is_told(datasets: Path, models: Path, mixed: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no pair 'street/009'.\nNext: `dbgan corpus ls"):
        make_like(mixed, "street/009")
    with pytest.raises(CorpusError, match="expected a synthetic corpus"):
        make_like(datasets / "train/city", "street/001")
    table = Corpus.open(mixed).table(["key", "method"]).set_index("method")["key"]
    painted, averaged = (next(iter(table.loc[[method]])) for method in ("bgan", "average"))
    save_weights(models / "bgan/g/weights.safetensors", generator("bgan", blocks=1, width=8, seed=4))
    with pytest.raises(DbganError, match=r"the generator of this pair has sha256 (.|\n)*--weights"):
        make_like(mixed, painted)
    make_source(datasets, "town", {"street": ["001"]})
    with pytest.raises(CorpusError, match="expected the sharp frame"):
        make_like(mixed, averaged, source=datasets / "train/town")
    (datasets / "train/city").rename(tmp_path / "gone")
    with pytest.raises(CorpusError, match=r"the source corpus 'city' of this pair was looked for in (.|\n)*--source"):
        make_like(mixed, averaged)
    assert make_like(mixed, averaged, source=tmp_path / "gone").equal


def test_a_source_that_changed_is_told(datasets: Path, tmp_path: Path) -> None:
    blur_corpus(datasets / "train/city", tmp_path / "out", model="kernel")
    other = make_source(tmp_path / "other", "city", {"street": ["001"]})
    tar = other / "street-000.tar"
    source = Corpus.open(other)
    data = bytearray(tar.read_bytes())
    at = data.index(source.encoded("street/001", "sharp")) + 60
    data[at] ^= 1
    tar.write_bytes(bytes(data))
    with pytest.raises((CorpusError, DbganError), match=r"is not the picture any more|cannot|damaged|unreadable"):
        make_like(tmp_path / "out", "street/001-v0", source=other)

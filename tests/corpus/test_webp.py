"""Corpora of lossless WebP: made, verified and read as those of PNG are."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dbgan.corpus import Corpus
from dbgan.corpus.export import to_folders, to_lmdb
from dbgan.corpus.privacy import metadata_in
from dbgan.image.codec import decode, encode
from tests.corpus.test_readers import LOAD
from tests.synthesize.tiny import make_source, make_toy


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same pairs as PNG and as WebP."""
    root = tmp_path_factory.mktemp("webp")
    make_source(root / "datasets", "city", {"street": ["000001", "000002"], "park": ["000001"]})
    for image in ("png", "webp"):
        make_toy(root / "datasets", root / image, image=image)
    return root / "png", root / "webp"


def test_its_pixels_are_those_of_png_and_it_verifies(corpora: tuple[Path, Path]) -> None:
    png, webp = (Corpus.open(path) for path in corpora)

    assert webp.verify() == []
    assert webp.keys == png.keys
    for one, other in zip(png, webp, strict=True):
        for field, image in one.images.items():
            assert np.array_equal(image, other.images[field])
            assert webp.encoded(one.key, field)[8:16] == b"WEBPVP8L"
    digests = ["blur_pixels_sha256", "sharp_pixels_sha256", "pair_psnr"]
    assert webp.table(digests).equals(png.table(digests))


def test_the_tools_of_the_field_read_it(corpora: tuple[Path, Path], tmp_path: Path) -> None:
    wds, lmdb = pytest.importorskip("webdataset"), pytest.importorskip("lmdb")
    corpus = Corpus.open(corpora[1])
    pixels = {sample.key: sample.images["blur"] for sample in corpus}
    urls = sorted(str(path) for path in corpora[1].glob("*.tar"))

    theirs = {s["__key__"]: s["blur.webp"] for s in wds.WebDataset(urls, shardshuffle=False).decode("rgb8")}
    ours = {s["__key__"]: s["blur.webp"] for s in corpus.stream()}
    to_folders(corpus, tmp_path / "folders")
    to_lmdb(corpus, tmp_path / "lmdb")

    for key, image in pixels.items():
        assert np.array_equal(theirs[key], image)
        assert np.array_equal(ours[key], image)
        file = tmp_path / "folders" / "LQ" / f"{key.replace('/', '-')}.webp"
        assert np.array_equal(cv2.imread(str(file))[..., ::-1], image)  # as BasicSR reads
        with lmdb.open(str(tmp_path / "lmdb" / "LQ.lmdb"), readonly=True, lock=False) as side, side.begin() as read:
            assert np.array_equal(decode(read.get(key.encode())), image)
    assert '"encodingFormat": "image/webp"' in (corpora[1] / "croissant.json").read_text()


def test_hugging_face_datasets_reads_it(corpora: tuple[Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    home = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    command = [sys.executable, "-c", LOAD.replace(".png", ".webp"), str(corpora[1]), "folder"]
    done = subprocess.run(command, env={**os.environ, **home}, capture_output=True, text=True, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    corpus = Corpus.open(corpora[1])
    for row in json.loads(done.stdout.splitlines()[-1])["rows"]:
        for field, image in corpus[row["key"]].images.items():
            assert np.array_equal(np.array(row["pictures"][f"{field}.webp"], np.uint8), image)


@pytest.mark.parametrize("size", [(1, 1), (1, 33), (33, 1), (17, 31), (256, 3)])
def test_any_size_is_lossless_by_other_decoders_too_and_grey_pictures_are(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    for image in (noise, np.full_like(noise, 7), np.repeat(noise[..., :1], 3, axis=2)):
        data = encode(image, "webp")

        assert np.array_equal(decode(data), image)
        assert np.array_equal(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1], image)
        assert metadata_in(data, "webp") == []
        assert encode(image, "webp") == data


def test_metadata_in_a_webp_is_found() -> None:
    image = Image.fromarray(np.full((9, 9, 3), 50, np.uint8))
    for options, chunk in (
        ({"exif": b"Exif\x00\x00Anna"}, "EXIF"),
        ({"xmp": b"Anna"}, "XMP "),
        ({"quality": 80}, "VP8 "),
    ):
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", lossless="quality" not in options, **options)

        assert any(f"chunk {chunk} of" in found for found in metadata_in(buffer.getvalue(), "webp")), chunk
    clean = encode(np.asarray(image), "webp")
    assert metadata_in(clean + b"Anna", "webp") == ["4 bytes after the end"]
    assert metadata_in(clean[:-2], "webp") == ["no end where its header says"]
    assert metadata_in(clean, "png") == ["no PNG at all"]
    assert metadata_in(encode(np.asarray(image), "png"), "webp") == ["no WebP at all"]


def test_a_picture_that_is_too_wide_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="16384x1 px do not fit into one webp"):
        encode(np.zeros((1, 16384, 3), np.uint8), "webp")

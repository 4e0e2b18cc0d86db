"""The entry points, and sound inputs to start from. A target raises nothing but the package's own errors."""

from __future__ import annotations

import contextlib
import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from dbgan.corpus import Corpus
from dbgan.corpus.layout import REJECT_REASONS, empty_meta
from dbgan.corpus.privacy import metadata_in
from dbgan.corpus.verify import verify
from dbgan.engine import build_corpus
from dbgan.errors import DbganError, ImageError
from dbgan.image import codec, video
from dbgan.image.metadata import read_allowed
from dbgan.ingest.tar_index import Member, Refused, members
from tests.corpus.tiny import HEADER, TinyBuilder, plans

LIMIT = 1_000_000
"""Pixels: a fuzzer finds every large size that a header can promise."""


def pictures() -> dict[str, bytes]:
    """A small file of every format and of the odd kinds of some."""
    y, x = np.mgrid[:24, :32]
    image = Image.fromarray(np.dstack([x * 8, y * 10, (x * y) % 256]).astype(np.uint8))
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", 6
    exif.get_ifd(0x8769)[0x829A] = 0.008
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    kinds: dict[str, tuple[Image.Image, str, dict[str, object]]] = {
        "jpeg": (image, "JPEG", {"exif": exif, "icc_profile": profile}),
        "progressive": (image, "JPEG", {"progressive": True}),
        "restarts": (image, "JPEG", {"restart_marker_rows": 1, "subsampling": 0}),
        "cmyk": (image.convert("CMYK"), "JPEG", {}),
        "png": (image, "PNG", {"exif": exif, "icc_profile": profile}),
        "palette": (image.convert("P"), "PNG", {}),
        "alpha": (image.convert("RGBA"), "PNG", {}),
        "deep": (image.convert("I;16"), "PNG", {}),
        "tiff": (image, "TIFF", {"compression": "tiff_lzw"}),
        "gif": (image, "GIF", {}),
        "webp": (image, "WEBP", {"exif": exif}),
        "avif": (image, "AVIF", {"exif": exif}),
        "bmp": (image, "BMP", {}),
        "ppm": (image, "PPM", {}),
    }
    made = {}
    for name, (picture, fmt, options) in kinds.items():
        buffer = io.BytesIO()
        picture.save(buffer, fmt, **options)
        made[name] = buffer.getvalue()
    with contextlib.suppress(ImportError):
        import pillow_heif

        buffer = io.BytesIO()
        pillow_heif.from_pillow(image).save(buffer, exif=exif.tobytes())
        made["heif"] = buffer.getvalue()
    return made


def read_picture(data: bytes) -> str:
    """Decode, store and scan one file; returns "decoded" or the reason of the refusal."""
    assert read_allowed(data).keys() == empty_meta().keys()
    assert all(isinstance(metadata_in(data, ext), list) for ext in ("png", "jpg"))
    try:
        pixels = codec.decode(data, max_pixels=LIMIT, thorough=True)
    except ImageError as error:
        return REJECT_REASONS[REJECT_REASONS.index(error.reason)]
    assert pixels.dtype == np.uint8
    assert pixels.shape[2:] == (3,)
    for ext in ("png", "jpg"):
        for icc in ("keep", "srgb"):
            stored = codec.store(data, ext, max_pixels=LIMIT, icc=icc)
            assert metadata_in(stored.data, ext) == []
            assert np.array_equal(codec.decode(stored.data, max_pixels=LIMIT), stored.pixels)
    return "decoded"


def containers(folder: Path) -> dict[str, bytes]:
    """A small clip of every container, and a tar with long names."""
    from tests.image.test_video import picture, write_clip

    coded: dict[str, dict[str, object]] = {
        ".mp4": {},
        ".mkv": {},
        ".mov": {"codec": "libx265", "options": {"x265-params": "log-level=none"}},
        ".avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p", "colour": (5, 2)},
    }
    made = {}
    for suffix, options in coded.items():
        clip = write_clip(folder / f"clip{suffix}", [picture(k) for k in range(4)], **options)  # type: ignore[arg-type]
        made[suffix] = clip.read_bytes()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for number in range(3):
            info = tarfile.TarInfo(f"{'d' * 60}/{'n' * 60}{number}.blur.png")
            info.size = 700
            archive.addfile(info, io.BytesIO(bytes(700)))
    return {**made, ".tar": packed.getvalue()}


def read_container(path: Path) -> int:
    """Read a clip or a tar as ingest does; returns how many frames or members there were."""
    if path.suffix == ".tar":
        found = list(members(path, 10_000))
        assert all(m.reason in REJECT_REASONS for m in found if isinstance(m, Refused))
        return sum(isinstance(m, Member) for m in found)
    try:
        clip = video.survey(path, max_pixels=LIMIT)
    except ImageError as error:
        REJECT_REASONS.index(error.reason)  # raises for any other
        return 0
    assert clip.meta.keys() == empty_meta().keys()
    return len(clip.times_s)


def build(folder: Path) -> dict[str, bytes]:
    """A sound tiny corpus in `folder`; returns its files."""
    build_corpus(folder, HEADER, TinyBuilder(), plans())
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def read_corpus(folder: Path) -> int:
    """Read a corpus in every way; returns how many of the ways gave all they should have."""
    for quick in (True, False):
        assert all(problem.what for problem in verify(folder, quick=quick, workers=1))
    done = 0
    with contextlib.suppress(DbganError):
        corpus = Corpus.open(folder)
        for read in (_by_index, _as_stream, _by_key, _as_table):
            with contextlib.suppress(DbganError):
                read(corpus)
                done += 1
    return done


def _by_index(corpus: Corpus) -> None:
    for sample in corpus:
        assert set(sample.images) == set(corpus.fields)


def _as_stream(corpus: Corpus) -> None:
    assert len(list(corpus.stream())) == len(corpus)


def _by_key(corpus: Corpus) -> None:
    for key in corpus.keys:
        assert key in corpus
        assert isinstance(corpus.encoded(key, "json"), bytes)


def _as_table(corpus: Corpus) -> None:
    assert len(corpus.table()) == len(corpus)

"""What exiftool, which shares no code with us, finds in real photos, and what it still finds in the corpus of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dbgan.corpus import Corpus
from dbgan.ingest import ingest

from .conftest import CAPTURES

pytestmark = pytest.mark.skipif(
    shutil.which("exiftool") is None, reason="exiftool is absent (Debian: libimage-exiftool-perl)"
)
PERSONAL = (
    "Serial",
    "Owner",
    "Artist",
    "Copyright",
    "Creator",
    "UniqueID",
    "ContentIdentifier",
    "UserComment",
    "By-line",
)
HARMLESS = ("SourceFile", "ExifTool:", "System:", "File:", "JFIF:", "ICC", "Adobe:", "PNG:", "Composite:ImageSize")
HARMLESS += ("Composite:Megapixels",)


def told(folder: Path) -> list[dict[str, Any]]:
    """Every tag of every file below the folder, numbers as numbers."""
    done = subprocess.run(
        ["exiftool", "-json", "-n", "-a", "-G1", "-ee", "-r", str(folder)], capture_output=True, check=False
    )
    return json.loads(done.stdout)


def secrets_of(photos: list[dict[str, Any]]) -> set[str]:
    """Positions as decimal degrees (five digits), and what names a person or one device."""
    found: set[str] = set()
    for photo in photos:
        public = " ".join(str(value) for tag, value in photo.items() if tag.endswith((":Make", ":Model")))
        for tag, value in photo.items():
            name = tag.partition(":")[2]
            if name in ("GPSLatitude", "GPSLongitude") and isinstance(value, float) and value % 1:
                found.add(str(abs(value))[:8])
            elif any(word in name for word in PERSONAL) and not tag.startswith("ICC"):
                text = str(value).strip()
                if len(text) >= 6 and text not in public and not text.startswith("(Binary"):
                    found.add(text)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("ext", ["jpg", "png"])
def test_nothing_that_exiftool_finds_in_photos_is_in_their_corpus(shared_data: Path, tmp_path: Path, ext: str) -> None:
    root = shared_data / "exif"
    if ext == "png":  # encoding all large photos as PNG takes minutes
        root = root / "orientation"
    hidden = secrets_of(told(root))
    assert len(hidden) > 15 or ext == "png"
    params = CAPTURES.model_copy(update={"image": ext, "quality": False, "max_reject_fraction": 0.1})
    ingest("e", params, root, tmp_path / "e")
    corpus = Corpus.open(tmp_path / "e")
    texts = [(tmp_path / "e" / name).read_text() for name in ("README.md", "corpus.json")]
    texts += [repr(pq.read_table(table).to_pylist()) for table in sorted((tmp_path / "e").glob("*.parquet"))]
    whole = b"".join([*(text.encode() for text in texts), *(p.read_bytes() for p in sorted(corpus.path.glob("*.tar")))])
    assert [secret for secret in sorted(hidden) if secret.encode() in whole] == []
    for key in corpus.keys:
        picture = tmp_path / "pictures" / f"{key}.{ext}"
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_bytes(corpus.encoded(key, "blur"))
    pictures = told(tmp_path / "pictures")
    assert len(pictures) == len(corpus)
    for photo in pictures:
        assert [tag for tag in photo if not tag.startswith(HARMLESS)] == [], photo["SourceFile"]
    assert not any("warning" in tag.lower() or tag.startswith("PNG:Text") for photo in pictures for tag in photo)

"""`dbgan deblur` from the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.commands import dbgan, identity_weights, save, texture


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return identity_weights(tmp_path / "weights.safetensors")


def test_deblur_keeps_names_folders_and_sizes(weights: Path, tmp_path: Path) -> None:
    save(tmp_path / "photos" / "a" / "one.png", texture(1, 21, 33))
    save(tmp_path / "photos" / "two.jpg", texture(2))
    (tmp_path / "photos" / "notes.txt").write_text("not a picture")
    done = dbgan("deblur", tmp_path / "photos", "--out", tmp_path / "out", "--weights", weights)
    assert done.exit_code == 0, done.output
    written = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert written == ["a/one.png", "two.jpg"]
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out" / "a" / "one.png")), texture(1, 21, 33))


def test_deblur_of_the_same_again_stops_until_told_what_to_do(weights: Path, tmp_path: Path) -> None:
    picture = save(tmp_path / "a.png", texture(1))
    arguments = ["deblur", picture, "--out", tmp_path / "out", "--weights", weights]
    assert dbgan(*arguments).exit_code == 0
    again = dbgan(*arguments)
    assert again.exit_code == 1
    assert "--existing skip" in again.stderr
    skipped = dbgan(*arguments, "--existing", "skip", "--compare", "--precision", "fp32", "--tile", "64")
    assert skipped.exit_code == 0, skipped.output
    assert "1 were there already" in skipped.stdout
    assert dbgan(*arguments, "--existing", "overwrite", "--format", "jpg").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.jpg", "a.png"]


def test_deblur_finishes_the_others_and_lists_what_failed(weights: Path, tmp_path: Path) -> None:
    broken = tmp_path / "a.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")
    whole = save(tmp_path / "b.png", texture(3))
    done = dbgan("deblur", broken, whole, "--out", tmp_path / "out", "--weights", weights)
    assert done.exit_code == 1
    assert "1 of 2" in done.stderr
    assert str(broken) in done.stderr
    assert (tmp_path / "out" / "b.png").is_file()


def test_deblur_refuses_a_generator_of_blur(tmp_path: Path) -> None:
    from dbgan.networks import generator, save_weights

    save_weights(tmp_path / "bgan.safetensors", generator("bgan", block="plain", blocks=1, width=4))
    picture = save(tmp_path / "a.png", texture(1))
    done = dbgan("deblur", picture, "--out", tmp_path / "out", "--weights", tmp_path / "bgan.safetensors")
    assert done.exit_code == 1
    assert "bgan" in done.stderr
    assert not (tmp_path / "out").exists()

"""The file of `dbgan calibrate`."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbgan.blur.calibration import Constants, read_calibration, write_calibration
from dbgan.errors import DbganError

FOUND = Constants(
    shot=2e-4, read=3e-5, gain=(0.7, 1.4), pictures=12, blocks=900, clipped_pictures=0.0, clipped_share=0.0
)


def test_constants_survive_the_file_and_equal_ones_give_equal_bytes(tmp_path: Path) -> None:
    write_calibration(tmp_path / "a.json", {"Acme é": FOUND, "Acme": FOUND})
    write_calibration(tmp_path / "b.json", {"Acme": FOUND, "Acme é": FOUND})

    assert read_calibration(tmp_path / "a.json") == {"Acme": FOUND, "Acme é": FOUND}
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_a_camera_without_clipped_pictures_gives_no_light_back() -> None:
    assert FOUND.camera().saturation == (0.0, 0.0)
    assert FOUND.camera().mosaics == ("",)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{", "Expecting property name"),
        ('{"format": 9, "devices": {}}', "format 9 instead of 1"),
        ('{"format": 1, "devices": {}}', "no device"),
        ('{"format": 1, "devices": {"a": {"shot": 1}}}', "keys shot instead of"),
        ("[]", "found: "),
    ],
)
def test_what_is_no_calibration_is_refused_with_the_next_step(tmp_path: Path, text: str, found: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(text)

    with pytest.raises(DbganError, match=f"c.json: expected constants.*{found}[\\s\\S]*Next: dbgan calibrate CORPUS"):
        read_calibration(path)

"""Real EXIF for the demo's photos, private parts included: the corpus must not let them through."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from PIL import Image
from PIL.TiffImagePlugin import IFDRational

OWNER = "Robin Sample"
POSITION = ((51, 28, 40.12), (0, 0, 5.31))
"""Latitude north and longitude west: degrees, minutes, seconds (the Royal Observatory, Greenwich)."""


@dataclass(frozen=True, slots=True)
class Shot:
    """What a phone writes about one photo.

    Attributes:
        make, model, serial: of the phone.
        exposure_s, iso, f_number, focal_mm: of the shot.
        taken: local time.
        orientation: EXIF's: 1 upright, 6 turn clockwise by 90 degrees to show.
    """

    make: str
    model: str
    serial: str
    exposure_s: float
    iso: int
    f_number: float
    focal_mm: float
    taken: datetime.datetime
    orientation: int = 1


def exif_block(shot: Shot) -> bytes:
    """The EXIF block of a JPEG, with a GPS position, the phone's serial number and its owner's name."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = shot.make, shot.model
    exif[0x0112] = shot.orientation
    exif[0x0131] = "Camera 1.0"
    exif[0x0132] = shot.taken.strftime("%Y:%m:%d %H:%M:%S")
    exif[0x013B] = OWNER  # Artist
    details = exif.get_ifd(0x8769)
    details[0x829A] = IFDRational(1, round(1 / shot.exposure_s))
    details[0x829D] = IFDRational(round(shot.f_number * 100), 100)
    details[0x8827] = shot.iso
    details[0x9003] = details[0x9004] = shot.taken.strftime("%Y:%m:%d %H:%M:%S")
    details[0x920A] = IFDRational(round(shot.focal_mm * 100), 100)
    details[0xA430] = OWNER  # CameraOwnerName
    details[0xA431] = shot.serial  # BodySerialNumber
    position = exif.get_ifd(0x8825)
    position[1], position[3] = "N", "W"
    for tag, (degrees, minutes, seconds) in zip((2, 4), POSITION, strict=True):
        position[tag] = (IFDRational(degrees), IFDRational(minutes), IFDRational(round(seconds * 100), 100))
    position[29] = shot.taken.strftime("%Y:%m:%d")
    return exif.tobytes()

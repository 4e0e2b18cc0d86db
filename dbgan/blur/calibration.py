"""What `dbgan calibrate` found out about cameras, as a file: noise constants and highlights, per device."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from dbgan.blur.camera_blur import Camera, Range
from dbgan.errors import DbganError
from dbgan.files import write_bytes

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Constants:
    """One device's constants, all of light with 1 at the full well, as its stored pictures show them (green channel).

    Attributes:
        shot, read: noise variance at light x is `shot` x + `read`.
        gain: (low, high), 10th and 90th percentile over pictures of their noise variance against that line.
        pictures: measured. blocks: smooth blocks that the line rests on.
        clipped_pictures: share of pictures with clipped highlights.
        clipped_share: mean share of clipped pixels in these.
    """

    shot: float
    read: float
    gain: Range
    pictures: int
    blocks: int
    clipped_pictures: float
    clipped_share: float

    def camera(self) -> Camera:
        """The camera to blur with: no mosaic, because these constants were measured after demosaicing.

        Highlights are given back in RSBlur's range if the device's own pictures have clipped ones.
        """
        saturation = Camera().saturation if self.clipped_pictures > 0 else (0.0, 0.0)
        return Camera(shot=self.shot, read=self.read, gain=self.gain, saturation=saturation, mosaics=("",))


def write_calibration(path: Path, devices: Mapping[str, Constants]) -> None:
    """Write the constants of at least one device as JSON; equal constants give equal bytes."""
    content = {"format": FORMAT, "devices": {name: asdict(found) for name, found in sorted(devices.items())}}
    write_bytes(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def read_calibration(path: Path) -> dict[str, Constants]:
    """Device -> constants.

    Raises:
        DbganError: no such file, or not a calibration of this format.
    """
    try:
        content = json.loads(path.read_bytes())
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']!r} instead of {FORMAT}")
        devices = {str(name): _constants(values) for name, values in content["devices"].items()}
        if not devices:
            raise ValueError("no device")
        for found in devices.values():
            found.camera()
    except FileNotFoundError:
        raise DbganError(f"{path}: no such file.\nNext: dbgan calibrate CORPUS --out {path}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DbganError(
            f"{path}: expected constants that `dbgan calibrate` wrote, found: {error}.\n"
            f"Next: dbgan calibrate CORPUS --out {path}"
        ) from None
    return devices


def _constants(values: Mapping[str, object]) -> Constants:
    names = [field.name for field in fields(Constants)]
    if sorted(values) != sorted(names):
        raise ValueError(f"keys {', '.join(sorted(values))} instead of {', '.join(sorted(names))}")
    low, high = (float(end) for end in values["gain"])  # type: ignore[attr-defined]
    return Constants(**{**values, "gain": (low, high)})  # type: ignore[arg-type]

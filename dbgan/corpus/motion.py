"""The optional field `motion.npz` of synthesized pairs: how the sharp picture moved to become the blurry one.

A plain .npz of numpy: stored without compression, with fixed dates, so that its bytes follow from the arrays alone
whatever zlib there is, and so that no reader can be made to unpack more than it was given.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST_CELL = 64
"""px; more than any picture of a corpus needs."""

_DIMENSIONS = {"velocity": 3, "acceleration": 3, "defocus": 2}


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Motion and defocus during one exposure, float16, one value per `cell` x `cell` px of the picture at full size.

    A point's displacement at time t in [-1/2, 1/2] of the exposure is `velocity` t + `acceleration` (t^2 - 1/12) / 2,
    whose mean is zero: the blurry picture stays aligned with the sharp one.

    Attributes:
        velocity: (2, h, w), x and y, px per exposure; h and w are the picture's sides in cells, rounded up.
        acceleration: (2, h, w), px per exposure squared.
        defocus: (h, w), radius of the disk that a point becomes, px.
        cell: px.
    """

    velocity: NDArray[np.float16]
    acceleration: NDArray[np.float16]
    defocus: NDArray[np.float16]
    cell: int

    def __post_init__(self) -> None:
        for name, dimensions in _DIMENSIONS.items():
            values = getattr(self, name)
            expected = self.defocus.shape[-2:] if dimensions == 2 else (2, *self.defocus.shape[-2:])
            if values.dtype != np.float16 or values.shape != expected or len(expected) != dimensions:
                raise ValueError(f"motion {name}: expected float16 of {expected}, found {values.dtype} {values.shape}")
            if not np.isfinite(values).all():
                raise ValueError(f"motion {name}: expected finite numbers, found others")
        if not 1 <= self.cell <= LARGEST_CELL:
            raise ValueError(f"motion cell: expected 1 to {LARGEST_CELL} px, found {self.cell}")

    def covers(self, height: int, width: int) -> bool:
        """Whether these are the cells of a picture of this size, px."""
        return self.defocus.shape == (-(-height // self.cell), -(-width // self.cell))


def encode(motion: Motion) -> bytes:
    """The file: what `decode` and `numpy.load(allow_pickle=False)` read. Equal arrays give equal bytes."""
    arrays: dict[str, NDArray[Any]] = {name: getattr(motion, name) for name in _DIMENSIONS}
    arrays["cell"] = np.array(motion.cell, dtype="<i4")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as packed:
        for name, values in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")  # its date is 1980-01-01, the first that zip knows
            member.create_system, member.external_attr = 3, 0o444 << 16
            plain = io.BytesIO()
            little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
            np.lib.format.write_array(plain, little.reshape(values.shape), version=(1, 0), allow_pickle=False)
            packed.writestr(member, plain.getvalue())
    return stream.getvalue()


def decode(data: bytes) -> Motion:
    """The motion in a file of `encode`.

    Raises:
        ValueError: anything else: damage, another array, compression (which could hide any size), a pickle.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            members = {member.filename: member for member in packed.infolist()}
            wanted = [f"{name}.npy" for name in (*_DIMENSIONS, "cell")]
            if sorted(members) != sorted(wanted) or len(packed.infolist()) != len(wanted):
                raise ValueError(f"expected the arrays {', '.join(wanted)}, found {', '.join(sorted(members))}")
            found: dict[str, Any] = {}
            for name, member in members.items():
                if member.compress_type != zipfile.ZIP_STORED or member.file_size > len(data):
                    raise ValueError(f"{name} is compressed, or larger than the file it is in")
                stream = io.BytesIO(packed.read(member))
                found[name.removesuffix(".npy")] = np.lib.format.read_array(stream, allow_pickle=False)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, SyntaxError) as error:
        raise ValueError(f"is no motion.npz ({error})") from None
    cell = found.pop("cell")
    if cell.shape != () or cell.dtype.kind != "i":
        raise ValueError(f"motion cell: expected a whole number, found {cell.dtype} {cell.shape}")
    return Motion(cell=int(cell), **found)

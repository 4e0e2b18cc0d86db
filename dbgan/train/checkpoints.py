"""Step checkpoints: one atomic file with everything a training needs, the last two kept, damage noticed by digest."""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path
from typing import Any

import torch

from dbgan.files import atomic_writer, remove_partials

KEPT = 2
_MAGIC = b"dbgan-checkpoint-1\n"
_HEADER = len(_MAGIC) + 65


class DamagedCheckpointWarning(UserWarning):
    """A checkpoint could not be read; the one before it is used."""


def path_of(folder: Path, step: int) -> Path:
    """`folder/step-00000200.pt`: names sort by step."""
    return folder / f"step-{step:08d}.pt"


def save(folder: Path, step: int, state: dict[str, Any]) -> Path:
    """Write `state` (tensors, numbers, text, lists and dicts of them) atomically, then drop all but the last `KEPT`.

    The file is a magic line, the hex sha256 of the rest and torch's zip: torch itself does not notice a flipped bit.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    payload = buffer.getbuffer()
    path = path_of(folder, step)
    with atomic_writer(path) as handle:
        handle.write(_MAGIC + hashlib.sha256(payload).hexdigest().encode() + b"\n")
        handle.write(payload)
    for old in _present(folder)[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def load(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The state that `save` wrote. Raises `ValueError` naming the file and what is wrong with it."""
    data = path.read_bytes()
    if not data.startswith(_MAGIC) or len(data) <= _HEADER:
        raise ValueError(f"{path}: not a whole checkpoint ({len(data)} bytes, expected to start with {_MAGIC!r})")
    expected, payload = data[len(_MAGIC) : _HEADER - 1].decode("ascii", "replace"), memoryview(data)[_HEADER:]
    found = hashlib.sha256(payload).hexdigest()
    if found != expected:
        raise ValueError(f"{path}: damaged: sha256 {found[:12]}..., expected {expected[:12]}...")
    state: dict[str, Any] = torch.load(io.BytesIO(payload), map_location=device, weights_only=True)
    return state


def load_latest(folder: Path, device: torch.device | str = "cpu") -> tuple[int, dict[str, Any]] | None:
    """(step, state) of the newest readable checkpoint, or None. A damaged one is removed, with a warning."""
    if not folder.is_dir():
        return None
    remove_partials(folder)
    for path in reversed(_present(folder)):
        try:
            return int(path.stem.removeprefix("step-")), load(path, device)
        except ValueError as error:
            message = f"{error}\nIt was removed; training goes on from the checkpoint before it, or from the start."
            warnings.warn(message, DamagedCheckpointWarning, stacklevel=2)
            path.unlink(missing_ok=True)
    return None


def latest_path(folder: Path) -> Path | None:
    """The newest checkpoint's file, to name it in an error."""
    present = _present(folder) if folder.is_dir() else []
    return present[-1] if present else None


def _present(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.pt"))

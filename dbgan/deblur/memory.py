"""How large a tile may be: from the memory that is free, and from what the network needs per pixel.

In fp32 on a CPU the tile changes no byte of the result. In bf16, and on a GPU, sums may depend on it in their last
bits; whoever needs the same bytes gives `--tile`.
"""

from __future__ import annotations

import copy
import math
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dbgan.errors import DbganError
from dbgan.networks import tiles
from dbgan.restore import autocast, restore

SMALLEST, LARGEST = 64, 1024
"""Sides of tiles that are tried, px. Larger ones than this save little: the halo is a small part of them."""

SHARE = 0.5
"""Of the free memory that a tile may take; the rest is for the pictures, others, and what the estimate misses."""

OVERHEAD = 2.0
"""What convolutions take besides their results: copies in the layouts that they like."""

PROBE = 128
"""Side of the tile that the estimate is made on, px."""


def free_bytes(device: torch.device) -> int:
    """Memory that may be taken on `device`: of a CPU what the system and the control group leave."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    found = _available()
    limit, used = _number("/sys/fs/cgroup/memory.max"), _number("/sys/fs/cgroup/memory.current")
    return min(found, limit - used) if limit is not None and used is not None else found


def _available() -> int:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 2 << 30


def _number(path: str) -> int | None:
    """A file with one number; None where it is absent or says `max`."""
    try:
        text = Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


class _Peak(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of all results that are alive at once, on the meta device: nothing is computed or taken."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = self.peak = 0
        self._live: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            if isinstance(value, Tensor):
                self._add(value.untyped_storage())
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._live:
            return
        self._live.add(key)
        self.bytes += size
        self.peak = max(self.peak, self.bytes)
        weakref.finalize(storage, self._drop, key, size)

    def _drop(self, key: int, size: int) -> None:
        self._live.discard(key)
        self.bytes -= size


def bytes_per_pixel(network: nn.Module, precision: str = "fp32") -> float:
    """Bytes that `network` has alive at its peak, per pixel of a tile with its halo, without `OVERHEAD`."""
    twin = copy.deepcopy(network).to("meta").eval()
    picture = torch.empty(1, 3, PROBE, PROBE, device="meta")
    peak = _Peak()
    with torch.inference_mode(), peak, autocast(torch.device("cpu"), precision):
        twin(picture)
    return peak.peak / PROBE**2


def tile_side(network: nn.Module, device: torch.device, precision: str = "fp32", free: int | None = None) -> int:
    """The largest side of a tile, a multiple of 64 px, for which `SHARE` of the free memory suffices.

    Args:
        network: as `restore` takes it; of networks that are run elsewhere (ONNX) nothing is known: 512.
        device: where it runs.
        precision: fp32 or bf16.
        free: bytes; asked of the device when not given.
    """
    if not any(True for _ in network.parameters()):
        return 512
    usable = (free_bytes(device) if free is None else free) * SHARE
    need = bytes_per_pixel(network, precision) * OVERHEAD
    side = math.sqrt(usable / need) - 2 * tiles.receptive_radius(network)
    return int(min(LARGEST, max(SMALLEST, side // 64 * 64)))


def restore_within_memory(
    image: NDArray[np.uint8],
    network: nn.Module,
    *,
    tile: int,
    precision: Any,
    threads: int | None,
    device: torch.device,
) -> tuple[NDArray[np.uint8], int]:
    """`restore`, with half the tile again where memory runs out; nothing of a failed try is used.

    Returns:
        The restored picture, and the tile that it was made with.

    Raises:
        DbganError: there is not enough memory even for the smallest tile; or as `restore`.
    """
    while True:
        try:
            done = restore(image, network, tile=tile, precision=precision, threads=threads, device=device)
            return done, tile
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
        if device.type == "cuda":
            torch.cuda.empty_cache()
        whole = image.shape[0] * image.shape[1] <= getattr(network, "whole_pixels", 0)
        if tile <= SMALLEST or whole:
            cannot = "this network is not cut into tiles" if whole else f"not even tiles of {tile} px fit"
            raise DbganError(
                f"{image.shape[1]}x{image.shape[0]} px: not enough memory ({cannot}).\n"
                "Next: free memory, or use a machine with more."
            )
        tile = max(SMALLEST, tile // 2 // 64 * 64)


def out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch, numpy or onnxruntime says that memory ran out."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    said = str(error).lower()
    return "out of memory" in said or "can't allocate memory" in said or "failed to allocate memory" in said

"""Full-size pictures through a trained DBGAN: 8-bit in, 8-bit out, in tiles that equal the whole."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from dbgan.errors import DbganError, ParamsError
from dbgan.networks import tiles

if TYPE_CHECKING:
    from torch import Tensor, nn


def restore(
    image: NDArray[np.uint8],
    network: nn.Module,
    *,
    tile: int = 512,
    precision: Literal["fp32", "bf16"] = "fp32",
    threads: int | None = None,
    device: str | torch.device | None = None,
) -> NDArray[np.uint8]:
    """The restored picture. The same arguments give the same bytes on the same device class.

    Args:
        image: HWC uint8 RGB, any size.
        network: a DBGAN generator, or any local, shape-preserving network with a `receptive_radius`. It is moved to
            `device` and to channels-last memory; its mode is left as found, though it works in eval mode here.
        tile: largest side of a tile without its halo, px: bounds the memory, does not change the result in fp32. A
            network with `whole_pixels` (nafnet) is not cut up to that size; above it the result depends on `tile`, and
            a warning says so.
        precision: of the convolutions; the residual is added to the input in float32 in both.
        threads: CPU threads for this call; torch's setting when not given.
        device: where to compute; where the network is when not given.

    Returns:
        HWC uint8 RGB of the same size; rounded, not truncated.

    Raises:
        ParamsError: another precision.
        ValueError: another shape or dtype.
        DbganError: the network gives NaN or Inf.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ValueError(f"restore: expected HWC uint8 RGB, found shape {image.shape} of {image.dtype}")
    where = torch.device(device) if device is not None else next(network.parameters()).device
    network.to(where).to(memory_format=torch.channels_last)
    with _eval(network), _threads(threads), torch.inference_mode(), autocast(where, precision):
        restored = tiles.apply(network, to_tensor(image, where), tile=tile)
        return to_image(restored)


def best_device() -> str:
    """A GPU where torch sees one: for `evaluate`, `dbgan deblur` and the synthesis of blur alike."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def to_tensor(image: NDArray[np.uint8], device: str | torch.device = "cpu") -> Tensor:
    """HWC uint8 -> (1, 3, H, W) float32 in [0, 1], channels last (as the picture lies in memory already)."""
    stored = torch.from_numpy(np.ascontiguousarray(image))
    if torch.device(device).type == "cuda":
        stored = stored.pin_memory()  # from there it is copied while the device computes
    return stored.to(device, non_blocking=True).permute(2, 0, 1)[None].float().div_(255.0)


def to_image(picture: Tensor) -> NDArray[np.uint8]:
    """(1, 3, H, W) float in about [0, 1] -> HWC uint8, clamped and rounded to the nearest level.

    Raises:
        DbganError: NaN or Inf among the values.
    """
    if not bool(torch.isfinite(picture).all()):
        raise DbganError(
            "restore: the network gave NaN or Inf.\nNext: try precision fp32; if it stays, its weights are broken."
        )
    levels = picture[0].float().clamp(0.0, 1.0).mul(255.0).round_().to(torch.uint8)
    return levels.permute(1, 2, 0).contiguous().cpu().numpy()


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[object]:
    """torch's autocast to bfloat16, or nothing for fp32.

    Raises:
        ParamsError: another precision.
    """
    if precision == "fp32":
        return contextlib.nullcontext()
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    raise ParamsError(f"precision: expected fp32 or bf16, found {precision!r}")


@contextlib.contextmanager
def _eval(network: nn.Module) -> Iterator[None]:
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


@contextlib.contextmanager
def _threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)

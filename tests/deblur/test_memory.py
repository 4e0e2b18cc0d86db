"""Tiles fit into what is free; running out of it costs a try and never a pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dbgan.deblur import memory
from dbgan.errors import DbganError
from dbgan.networks import generator
from dbgan.restore import restore

CPU = torch.device("cpu")


class Fails(nn.Module):
    """A network that runs out of memory on pictures of more than `limit` pixels."""

    receptive_radius = 3

    def __init__(self, limit: int, error: Exception) -> None:
        super().__init__()
        self.inner = nn.Conv2d(3, 3, 7, padding=3)
        self.limit, self.error, self.calls = limit, error, list[int]()

    def forward(self, image: Tensor) -> Tensor:
        self.calls.append(image.shape[-1] * image.shape[-2])
        if self.calls[-1] > self.limit:
            raise self.error
        return self.inner(image)


IMAGE = np.random.default_rng(0).integers(0, 256, (300, 280, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    ],
)
def test_half_the_tile_is_tried_and_the_picture_is_that_of_the_whole(error: Exception) -> None:
    network = Fails(140 * 140, error)
    restored, tile = memory.restore_within_memory(IMAGE, network, tile=512, precision="fp32", threads=1, device=CPU)
    assert tile == 128
    assert sum(size > network.limit for size in network.calls) == 2
    network.limit = 10**9
    assert np.array_equal(restored, restore(IMAGE, network, tile=512, threads=1))


def test_too_little_for_the_smallest_tile_is_said() -> None:
    with pytest.raises(DbganError, match=r"280x300 px: not enough memory \(not even tiles of 64 px fit\)"):
        memory.restore_within_memory(IMAGE, Fails(10, MemoryError()), tile=200, precision="fp32", threads=1, device=CPU)


def test_a_network_that_is_never_cut_is_not_tried_again() -> None:
    network = Fails(10, MemoryError())
    network.whole_pixels = 10**9  # type: ignore[assignment]
    with pytest.raises(DbganError, match="not cut into tiles"):
        memory.restore_within_memory(IMAGE, network, tile=200, precision="fp32", threads=1, device=CPU)
    assert len(network.calls) == 1


def test_other_errors_are_not_taken_for_it() -> None:
    with pytest.raises(RuntimeError, match="shapes"):
        memory.restore_within_memory(
            IMAGE, Fails(10, RuntimeError("shapes differ")), tile=64, precision="fp32", threads=1, device=CPU
        )


def test_what_is_alive_at_the_peak_is_counted() -> None:
    """One convolution: input of 3 channels and output of 8 in float32; a second one frees nothing of the first."""
    one = nn.Conv2d(3, 8, 3, padding=1)
    assert memory.bytes_per_pixel(one) == pytest.approx((3 + 8) * 4, abs=4 * 3.1)
    chain = nn.Sequential(one, *(nn.Conv2d(8, 8, 3, padding=1) for _ in range(6)))
    assert memory.bytes_per_pixel(chain) <= (3 + 3 + 8 + 8 + 8) * 4
    wide = generator("dbgan", block="plain", blocks=2, width=64)
    narrow = generator("dbgan", block="plain", blocks=2, width=16)
    assert memory.bytes_per_pixel(wide) == pytest.approx(4 * memory.bytes_per_pixel(narrow), rel=0.2)
    assert memory.bytes_per_pixel(wide) < 4 * 64 * 8


def test_more_memory_means_larger_tiles_within_bounds() -> None:
    network = generator("dbgan", block="plain", blocks=2, width=64)
    sides = [memory.tile_side(network, CPU, free=free) for free in (1 << 20, 1 << 28, 1 << 30, 1 << 40)]
    assert sides == sorted(sides)
    assert (sides[0], sides[-1]) == (memory.SMALLEST, memory.LARGEST)
    assert all(side % 64 == 0 for side in sides)
    assert memory.SMALLEST < sides[1] < memory.LARGEST
    assert memory.free_bytes(CPU) > 1 << 20


def test_the_network_is_left_as_found() -> None:
    network = generator("dbgan", block="plain", blocks=1, width=8).train()
    memory.tile_side(network, CPU)
    assert network.training
    assert {parameter.device.type for parameter in network.parameters()} == {"cpu"}

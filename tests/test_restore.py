"""Restoring full-size pictures: any size, rounded, the same bytes in tiles."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dbgan.errors import DbganError, ParamsError
from dbgan.networks import generator
from dbgan.restore import restore


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), dtype=np.uint8)


class Shift(nn.Module):
    """Adds a constant number of levels."""

    receptive_radius = 0

    def __init__(self, levels: float) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.tensor(levels / 255.0))

    def forward(self, image: Tensor) -> Tensor:
        return image + self.offset


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (33, 47), (131, 70)])
def test_any_size_comes_back_unchanged_from_a_network_that_adds_nothing(size) -> None:
    network = generator("dbgan", blocks=1, width=4, init="zero_last")
    image = picture(*size)
    assert np.array_equal(restore(image, network, tile=64), image)


def test_levels_are_rounded_and_clamped() -> None:
    image = np.array([0, 1, 100, 254, 255], np.uint8).reshape(1, 5, 1).repeat(3, axis=2)
    for levels, expected in ((0.6, [1, 2, 101, 255, 255]), (-0.4, [0, 1, 100, 254, 255]), (-2, [0, 0, 98, 252, 253])):
        assert restore(image, Shift(levels))[0, :, 0].tolist() == expected


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_tiles_of_any_size_give_the_same_bytes(precision) -> None:
    network = generator("dbgan", blocks=1, width=8, seed=1)
    image = picture(130, 101)
    whole = restore(image, network, tile=512, precision=precision)
    assert (np.abs(whole.astype(int) - image) > 3).any(), "the network does something"
    for tile in (64, 90):
        assert np.array_equal(restore(image, network, tile=tile, precision=precision), whole)


def test_result_is_the_networks_own_output_in_eval_mode() -> None:
    network = generator("dbgan", block="rdb", blocks=1, width=8, growth=4, seed=1)
    image = picture(20, 31)
    with torch.no_grad():
        output = network.eval()(torch.from_numpy(image).permute(2, 0, 1)[None].double().float() / 255)
    expected = (output[0].permute(1, 2, 0) * 255).numpy()
    assert np.abs(restore(image, network) - expected).max() < 0.501


def test_bf16_is_close_to_fp32() -> None:
    network = generator("dbgan", blocks=2, width=16, seed=1)
    image = picture(64, 64)
    difference = restore(image, network, precision="bf16").astype(int) - restore(image, network)
    assert 0 < np.abs(difference).max() <= 4


def test_the_callers_settings_are_left_as_found() -> None:
    network = generator("dbgan", blocks=1, width=4).train()
    threads = torch.get_num_threads()
    restore(picture(9, 9), network, threads=threads + 1)
    assert network.training
    assert torch.get_num_threads() == threads
    with pytest.raises(DbganError):
        restore(picture(9, 9), Shift(float("nan")), threads=threads + 1)
    assert torch.get_num_threads() == threads


def test_broken_weights_are_named() -> None:
    with pytest.raises(DbganError, match=r"gave NaN or Inf(.|\n)*Next: "):
        restore(picture(9, 9), Shift(float("inf")))


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)],
)
def test_pictures_of_another_kind_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match="expected HWC uint8 RGB"):
        restore(wrong, Shift(0.0))


def test_another_precision_is_refused() -> None:
    with pytest.raises(ParamsError, match="expected fp32 or bf16, found 'fp16'"):
        restore(picture(4, 4), Shift(0.0), precision="fp16")  # type: ignore[arg-type]

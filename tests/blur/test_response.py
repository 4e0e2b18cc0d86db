"""Response curves of Eq. 4."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import rgb2xyz

from dbgan.blur.response import from_linear, linear_table, to_linear, to_uint8


@pytest.mark.parametrize("response", ["srgb", "gamma", "linear", "stored"])
def test_every_stored_value_survives_the_way_to_light_and_back(response: str) -> None:
    assert np.array_equal(to_uint8(from_linear(linear_table(response), response)), np.arange(256))


def test_srgb_light_agrees_with_scikit_image() -> None:
    grey = np.repeat(np.linspace(0, 1, 257).reshape(1, -1, 1), 3, axis=2)

    luminance = rgb2xyz(grey)[..., 1]  # of a grey: its light

    assert to_linear(grey, "srgb")[..., 0] == pytest.approx(luminance, abs=2e-6)


def test_light_beyond_the_full_well_is_clipped() -> None:
    assert from_linear(np.array([-0.5, 1.5]), "srgb").tolist() == pytest.approx([0.0, 1.0])

"""JPEG quality against the encoders' own setting, blocks against pictures with and without."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import spearmanr

from dbgan.image.quality.coding import blocking, jpeg_quality
from tests.draws import RNG


def picture(height: int = 200, width: int = 240) -> NDArray[np.uint8]:
    return cv2.GaussianBlur(RNG.integers(0, 256, (height, width, 3)).astype(np.uint8), (0, 0), 3) * 3 // 2


@pytest.mark.parametrize("quality", [5, 30, 50, 75, 90, 95, 100])
@pytest.mark.parametrize("progressive", [False, True])
def test_the_quality_of_pillows_and_opencvs_files_is_found(quality: int, progressive: bool) -> None:
    stream = io.BytesIO()
    Image.fromarray(picture()).save(stream, "JPEG", quality=quality, progressive=progressive)
    assert jpeg_quality(stream.getvalue()) == quality
    written = cv2.imencode(".jpg", picture(), [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    assert jpeg_quality(written) == quality


def test_what_is_no_jpeg_has_no_quality() -> None:
    png = cv2.imencode(".png", picture())[1].tobytes()
    jpeg = cv2.imencode(".jpg", picture())[1].tobytes()
    assert [jpeg_quality(data) for data in (b"", png, jpeg[:20], b"\xff\xd8\xff", b"\xff\xd8\xff\xdb\x00")] == [
        None
    ] * 5


def test_blocking_grows_as_quality_falls_wherever_the_grid_starts() -> None:
    qualities = (95, 75, 50, 30, 15, 8)
    coded = [
        cv2.imdecode(cv2.imencode(".jpg", picture(), [cv2.IMWRITE_JPEG_QUALITY, q])[1], cv2.IMREAD_GRAYSCALE)
        for q in qualities
    ]
    whole, cropped = ([blocking(y[top:, top:]) for y in coded] for top in (0, 3))
    assert spearmanr(qualities, whole).statistic < -0.95
    assert spearmanr(qualities, cropped).statistic < -0.95
    assert whole[-1] > 1.5
    assert blocking(cv2.cvtColor(picture(), cv2.COLOR_RGB2GRAY)) == pytest.approx(1.0, abs=0.05)


def test_flat_and_small_pictures_have_no_blocks() -> None:
    assert blocking(np.full((64, 64), 50, np.uint8)) == 1.0
    assert blocking(np.full((31, 64), 50, np.uint8)) == 1.0

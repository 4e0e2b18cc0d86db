"""The perceptual hash: near for what looks the same, far for what does not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from dbgan.image.codec import decode
from dbgan.image.quality import luma
from dbgan.image.quality.hashes import distances, perceptual_hash
from tests.draws import RNG


def bits(y: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.frombuffer(perceptual_hash(y), np.uint8)


def apart(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> int:
    return int(distances(bits(a)[None], bits(b)[None])[0, 0])


def scene() -> NDArray[np.uint8]:
    return cv2.GaussianBlur(RNG.integers(0, 256, (160, 224)).astype(np.uint8), (0, 0), 6) * 2


def test_the_hash_is_the_sign_of_scipys_dct_against_its_median() -> None:
    y = scene()
    boxes = y.reshape(32, 5, 32, 7).mean(axis=(1, 3))
    order = sorted((u + v, u, v) for u in range(32) for v in range(32))[1:257]
    low = np.array([dctn(boxes, type=2)[u, v] for _, u, v in order])
    expected = np.packbits(low > np.median(low))
    assert int(np.unpackbits(expected ^ bits(y)).sum()) <= 4  # cosines in whole numbers, for those at the median


def test_distances_are_counted_bits() -> None:
    a = RNG.integers(0, 256, (3, 32)).astype(np.uint8)
    b = RNG.integers(0, 256, (2, 32)).astype(np.uint8)
    expected = [[bin(int.from_bytes(x.tobytes()) ^ int.from_bytes(y.tobytes())).count("1") for y in b] for x in a]
    assert distances(a, b).tolist() == expected


def test_coding_noise_size_and_blur_leave_the_hash_and_another_picture_does_not() -> None:
    y = scene()
    coded = cv2.imdecode(cv2.imencode(".jpg", y, [cv2.IMWRITE_JPEG_QUALITY, 50])[1], cv2.IMREAD_GRAYSCALE)
    smaller = cv2.resize(y, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    for same in (coded, smaller, cv2.blur(y, (9, 1))):
        assert apart(y, same) <= 12
    assert apart(y, scene()) > 90


def test_tiny_pictures_have_a_hash() -> None:
    for shape in ((1, 1), (5, 40), (31, 31)):
        assert len(perceptual_hash(np.full(shape, 9, np.uint8))) == 32


def test_real_photographs_are_far_from_each_other_and_near_their_own_copies(shared_data: Path) -> None:
    folders = ("gopro/test/GOPR0396_11_00/sharp", "gopro/test/GOPR0854_11_00/sharp", "real-blur/lai2016-real/images")
    pictures = [luma(decode(p.read_bytes())) for folder in folders for p in sorted((shared_data / folder).iterdir())]
    hashes = np.array([bits(y) for y in pictures])
    between = distances(hashes, hashes)[~np.eye(len(hashes), dtype=bool)]
    assert between.min() > 80
    for y in pictures:
        height, width = y.shape
        assert apart(y, cv2.resize(y, (width // 2, height // 2), interpolation=cv2.INTER_AREA)) <= 8
        assert apart(y, y[height // 200 : -height // 200, width // 200 : -width // 200]) <= 24

"""Metrics against scikit-image, torchmetrics and scipy's direct windows, on made-up and on real pairs."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics.functional.image import peak_signal_noise_ratio as torchmetrics_psnr
from torchmetrics.functional.image import structural_similarity_index_measure as torchmetrics_ssim

from dbgan.evaluate import metrics, windows
from dbgan.evaluate.metrics import Metric, psnr_rgb, psnr_y, ssim, ssim_matlab3d

METRICS = [psnr_rgb, psnr_y, ssim, ssim_matlab3d]


def pair(height: int = 37, width: int = 52, seed: int = 0, noise: float = 12.0) -> tuple[np.ndarray, np.ndarray]:
    """A smooth HWC uint8 picture, and the same with noise: (restored, reference)."""
    random = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(random.random((height, width, 3)), (3, 3, 0))
    reference = np.uint8(255 * (smooth - smooth.min()) / np.ptp(smooth))
    return np.uint8(np.clip(reference + random.normal(0, noise, reference.shape), 0, 255)), reference


def tensors(*images: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None] for image in images]


def skimage_ssim(restored: np.ndarray, reference: np.ndarray) -> float:
    return structural_similarity(
        restored, reference, channel_axis=2, gaussian_weights=True, use_sample_covariance=False, data_range=255
    )


def direct_ssim3d(restored: np.ndarray, reference: np.ndarray) -> float:
    """MATLAB's window written out: an 11x11x11 Gaussian over (rows, columns, channels), borders replicated."""
    axis = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = axis[:, None, None] * axis[None, :, None] * axis[None, None, :]
    window /= window.sum()

    def mean(volume: np.ndarray) -> np.ndarray:
        return ndimage.correlate(volume, window, mode="nearest")

    x, y = restored.astype(np.float64), reference.astype(np.float64)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    return float((((2 * mx * my + c1) * (2 * cov + c2)) / ((mx * mx + my * my + c1) * (vx + vy + c2))).mean())


def basicsr_psnr(restored: np.ndarray, reference: np.ndarray, luma: bool) -> float:
    """BasicSR's `calculate_psnr` without a border, `test_y_channel=luma`, by its formulas (on RGB, 0 to 255)."""
    x, y = restored.astype(np.float64), reference.astype(np.float64)
    if luma:
        x, y = (np.dot(image / 255, [65.481, 128.553, 24.966]) + 16.0 for image in (x, y))
    return 10 * math.log10(255**2 / np.mean((x - y) ** 2))


def basicsr_ssim(restored: np.ndarray, reference: np.ndarray) -> float:
    """BasicSR's `calculate_ssim`: a 2-D window by cv2.filter2D, its borders cut off, channel by channel."""
    kernel = cv2.getGaussianKernel(11, 1.5)
    window = np.outer(kernel, kernel.T)
    values = []
    for channel in range(3):
        x, y = restored[..., channel].astype(np.float64), reference[..., channel].astype(np.float64)
        mx, my, xx, yy, xy = (cv2.filter2D(m, -1, window)[5:-5, 5:-5] for m in (x, y, x * x, y * y, x * y))
        top = (2 * mx * my + 6.5025) * (2 * (xy - mx * my) + 58.5225)
        values.append((top / ((mx**2 + my**2 + 6.5025) * (xx - mx**2 + yy - my**2 + 58.5225))).mean())
    return float(np.mean(values))


@pytest.mark.parametrize("size", [(37, 52), (11, 11), (64, 13)])
@pytest.mark.parametrize("noise", [2.0, 12.0, 60.0])
def test_metrics_equal_the_reference_implementations(size, noise) -> None:
    restored, reference = pair(*size, noise=noise)
    x, y = tensors(restored, reference)
    assert psnr_rgb(x, y).item() == pytest.approx(peak_signal_noise_ratio(reference, restored), abs=1e-6)
    assert psnr_y(x, y).item() == pytest.approx(basicsr_psnr(restored, reference, luma=True), abs=1e-6)
    assert ssim(x, y).item() == pytest.approx(skimage_ssim(restored, reference), abs=1e-6)
    assert ssim(x, y).item() == pytest.approx(basicsr_ssim(restored, reference), abs=1e-6)
    assert ssim_matlab3d(x, y).item() == pytest.approx(direct_ssim3d(restored, reference), abs=1e-6)


def test_metrics_equal_torchmetrics() -> None:
    pairs = [pair(48, 40, seed=s) for s in range(3)]
    x, y = (torch.cat(tensors(*images)) for images in zip(*pairs, strict=True))
    x_unit, y_unit = x.double() / 255, y.double() / 255
    expected = torchmetrics_psnr(x_unit, y_unit, data_range=1.0, reduction="none", dim=(1, 2, 3))
    torch.testing.assert_close(psnr_rgb(x, y), expected, atol=1e-5, rtol=0)
    # torchmetrics averages reflected borders in; its map cut to where the window fits is what we average.
    _, full = torchmetrics_ssim(x_unit, y_unit, data_range=1.0, reduction="none", return_full_image=True)
    torch.testing.assert_close(ssim(x, y), full[..., 5:-5, 5:-5].mean(dim=(1, 2, 3)), atol=1e-6, rtol=0)


def test_real_gopro_pairs_equal_the_reference_implementations(shared_data: Path) -> None:
    sharp = sorted((shared_data / "gopro" / "test").glob("*/sharp/*.png"))[:2]
    assert len(sharp) == 2
    for path in sharp:
        files = (path.parents[1] / "blur" / path.name, path)
        restored, reference = (cv2.imread(str(f), cv2.IMREAD_COLOR_RGB)[200:330, 300:460] for f in files)
        x, y = tensors(restored, reference)
        assert psnr_rgb(x, y).item() == pytest.approx(peak_signal_noise_ratio(reference, restored), abs=1e-4)
        assert psnr_rgb(x, y).item() == pytest.approx(basicsr_psnr(restored, reference, luma=False), abs=1e-4)
        assert psnr_y(x, y).item() == pytest.approx(basicsr_psnr(restored, reference, luma=True), abs=1e-4)
        assert psnr_y(x, y).item() - psnr_rgb(x, y).item() == pytest.approx(1.4, abs=0.05)
        assert ssim(x, y).item() == pytest.approx(skimage_ssim(restored, reference), abs=1e-4)
        assert ssim(x, y).item() == pytest.approx(basicsr_ssim(restored, reference), abs=1e-4)
        small = [image[:40, :50] for image in (restored, reference)]
        assert ssim_matlab3d(*tensors(*small)).item() == pytest.approx(direct_ssim3d(*small), abs=1e-4)
        assert ssim_matlab3d(x, y).item() > ssim(x, y).item() + 0.01, "why a bare 'SSIM' means nothing"


def test_psnr_by_hand() -> None:
    """All values off by 10 levels: 20 log10(255 / 10)."""
    x = torch.full((1, 3, 4, 5), 100, dtype=torch.uint8)
    assert psnr_rgb(x, x + 10).item() == pytest.approx(20 * math.log10(25.5))


def test_identical_pictures() -> None:
    x, _ = tensors(*pair())
    assert psnr_rgb(x, x).item() == psnr_y(x, x).item() == math.inf
    assert ssim(x, x).item() == pytest.approx(1.0)
    assert ssim_matlab3d(x, x).item() == pytest.approx(1.0)


@pytest.mark.parametrize("metric", [ssim, ssim_matlab3d])
def test_constant_pictures_are_judged_by_their_means_alone(metric) -> None:
    """Without variance Wang's formula is (2 mx my + C1) / (mx^2 + my^2 + C1)."""
    for a, b in ((0, 0), (255, 255), (0, 255), (100, 130)):
        x, y = (torch.full((1, 3, 12, 15), level, dtype=torch.uint8) for level in (a, b))
        mx, my = a / 255, b / 255
        expected = (2 * mx * my + 1e-4) / (mx**2 + my**2 + 1e-4)
        assert metric(x, y).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_a_batch_without_pictures_has_no_values(metric) -> None:
    x = torch.zeros(0, 3, 16, 16, dtype=torch.uint8)
    assert (metric(x, x).shape, metric(x, x).dtype) == ((0,), torch.float64)


@pytest.mark.parametrize("metric", METRICS)
def test_pictures_without_pixels_are_refused(metric) -> None:
    x = torch.zeros(1, 3, 0, 16)
    with pytest.raises(ValueError, match=r"at least .* found 0x16"):
        metric(x, x)


@pytest.mark.parametrize("metric", METRICS)
def test_the_module_is_the_function(metric) -> None:
    x, y = tensors(*pair())
    assert torch.equal(Metric(metric)(x, y), metric(x, y))
    assert Metric(ssim, dtype=torch.float64)(x, y).item() == ssim(x, y, dtype=torch.float64).item()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("metric", METRICS)
def test_a_gpu_gives_the_same(metric) -> None:
    x, y = tensors(*pair(150, 90))
    assert metric(x.cuda(), y.cuda()).item() == pytest.approx(metric(x, y).item(), abs=1e-6)


def test_what_a_gpu_computes_is_what_a_cpu_does() -> None:
    x, y = tensors(*pair(60, 47))
    alone = metrics._by_torch(x, y, torch.float64, metrics._window) / (3 * 50 * 37)
    torch.testing.assert_close(alone, ssim(x, y, dtype=torch.float64), atol=1e-12, rtol=0)
    wide = [metrics._replicated(picture) for picture in (x, y)]
    alone = metrics._by_torch(*wide, torch.float64, metrics._volume_window) / (3 * 60 * 47)
    torch.testing.assert_close(alone, ssim_matlab3d(x, y, dtype=torch.float64), atol=1e-12, rtol=0)


@pytest.mark.parametrize("metric", [ssim, ssim_matlab3d])
def test_no_bit_depends_on_the_number_of_threads(metric) -> None:
    x, y = tensors(*pair(250, 90))
    before, values = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3, 7):
            torch.set_num_threads(threads)
            values.append(metric(x, y).item())
    finally:
        torch.set_num_threads(before)
    assert len(set(values)) == 1


def test_the_squared_error_of_8_bits_is_exact() -> None:
    random = np.random.default_rng(3)
    x, y = (random.integers(0, 256, (1, 3, 700, 900), dtype=np.uint8) for _ in range(2))
    x[0, :, :300], y[0, :, :300] = 0, 255  # sums beyond what float32 and int32 hold
    expected = int(((x.astype(np.int64) - y) ** 2).sum())
    assert metrics._squared_error(*(torch.from_numpy(p[0]) for p in (x, y))) == expected > 2**32


@pytest.mark.parametrize("metric", [ssim, ssim_matlab3d])
def test_bands_change_nothing(metric, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = tensors(*pair(75, 40))
    values = []
    for band in (7, 96, 1000):
        monkeypatch.setattr(windows, "BAND", band)
        values.append(metric(x, y, dtype=torch.float64).item())
    assert values == pytest.approx([values[0]] * 3, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_each_picture_of_a_batch_is_judged_alone(metric) -> None:
    images = [tensors(*pair(seed=s, noise=4.0 * (s + 1))) for s in range(3)]
    x, y = (torch.cat(side) for side in zip(*images, strict=True))
    alone = torch.cat([metric(*image) for image in images])
    assert (alone.shape, alone.dtype) == ((3,), torch.float64)
    assert torch.equal(metric(x, y), alone)
    assert len(set(alone.tolist())) == 3


@pytest.mark.parametrize("metric", METRICS)
def test_uint8_and_float_pictures_give_the_same(metric) -> None:
    x, y = tensors(*pair())
    assert metric(x.double() / 255, y.double() / 255).item() == pytest.approx(metric(x, y).item(), abs=1e-7)
    assert metric(x.float() / 255, y).item() == pytest.approx(metric(x, y).item(), abs=1e-5)


@pytest.mark.parametrize("metric", [ssim, ssim_matlab3d])
def test_float32_stays_within_1e_6_of_float64(metric) -> None:
    restored, reference = pair(80, 90)
    bright = np.uint8(np.clip(reference // 16 + 235, 0, 255))  # flat and bright: where float32 loses most
    for images in ((restored, reference), (np.uint8(bright - 3), bright)):
        x, y = tensors(*images)
        assert metric(x, y).item() == pytest.approx(metric(x, y, dtype=torch.float64).item(), abs=1e-6)


@pytest.mark.parametrize("metric", METRICS)
def test_wrong_pictures_are_named(metric) -> None:
    x, y = tensors(*pair())
    with pytest.raises(ValueError, match=r"found \(1, 3, 37, 52\) and \(1, 3, 37, 51\)"):
        metric(x, y[..., :51])
    with pytest.raises(ValueError, match=r"found \(3, 37, 52\)"):
        metric(x[0], y[0])
    with pytest.raises(ValueError, match=r"expected uint8 or float in .*found torch.int16"):
        metric(x.short(), y)
    with pytest.raises(
        ValueError, match=r"restored: expected float values in .*(.|\n)*Next: divide 8-bit values by 255"
    ):
        metric(x.float(), y)
    with pytest.raises(ValueError, match="reference: expected float values"):
        metric(x, torch.full_like(y, math.nan, dtype=torch.float32))


@pytest.mark.parametrize("metric", [ssim, ssim_matlab3d])
def test_a_picture_under_the_window_is_refused(metric) -> None:
    x, y = tensors(*pair(10, 30))
    with pytest.raises(ValueError, match="at least 11x11 px; found 10x30"):
        metric(x, y)

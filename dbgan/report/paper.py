"""Numbers printed in the paper, shown beside ours and always labelled as the paper's. Nothing here is computed."""

from __future__ import annotations

from dataclasses import dataclass

CITATION = (
    "Zhang, Luo, Zhong, Ma, Stenger, Liu, Li: Deblurring by Realistic Blurring, CVPR 2020, Table 1 and the ablation "
    "of section 4"
)
LINK = "https://arxiv.org/abs/2004.01860"


@dataclass(frozen=True, slots=True)
class PaperRow:
    """One published result on GOPRO's 1111 test pairs.

    Attributes:
        name: as printed.
        ours: the variant of this project that follows the same recipe.
        psnr: dB, RGB.
        ssim: as printed; the paper names no SSIM. Its height fits the 3-D window (`ssim_matlab3d`), not `ssim`.
    """

    name: str
    ours: str
    psnr: float
    ssim: float


ROWS = (PaperRow("DBGAN", "base", 30.43, 0.9372), PaperRow("DBGAN(+)", "plus", 31.10, 0.9424))
"""Rows whose printed values we have checked. The paper's DBGAN(-) and its rivals are left out, not guessed."""


@dataclass(frozen=True, slots=True)
class Published:
    """What others print of their own networks on the same 1111 pairs.

    Attributes:
        name: of the network.
        psnr: dB, RGB.
        ssim: as printed, or None.
        kind: which SSIM that is.
    """

    name: str
    psnr: float
    ssim: float | None
    kind: str


OTHERS = (
    Published("DeblurGAN-v2 (2019)", 29.55, 0.934, "complex wavelet: not comparable"),
    Published("DeepDeblur-PyTorch, L1", 30.40, 0.9018, "per channel"),
    Published("MIMO-UNet+ (2021)", 32.45, 0.957, "not said"),
    Published("Restormer (2022)", 32.92, 0.961, "3-D"),
    Published("Stripformer (2022)", 33.08, 0.962, "3-D"),
    Published("NAFNet-64 (2022)", 33.71, 0.9668, "3-D"),
    Published("FFTformer (2023)", 34.21, 0.969, "not said"),
    Published("FFTformer + ID-Blau (2024)", 34.36, 0.970, "3-D"),
    Published("AdaRevD (2024)", 34.60, None, ""),
)
"""From their repositories' READMEs, AdaRevD's from its abstract; values known at second hand only are left out."""

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

"""A histogram as SVG: what a limit keeps and what it drops, stacked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

HEIGHT = 48


def histogram_svg(kept: NDArray[np.int64], dropped: NDArray[np.int64]) -> str:
    """Bars of equal width, as wide as the place they are put in; what is dropped stands on what is kept.

    A bar that holds anything is at least a line: limits are set in the tails, where a linear height would show nothing.

    Args:
        kept: samples in each bar within the limits.
        dropped: samples in each bar beyond them.
    """
    highest = max(1, int((kept + dropped).max(initial=0)))
    bars = []
    for index, (inside, outside) in enumerate(zip(kept.tolist(), dropped.tolist(), strict=True)):
        below = 0.0
        for count, name in ((inside, "kept"), (outside, "dropped")):
            if count:
                tall = max(1.5, HEIGHT * count / highest)
                top = max(0.0, HEIGHT - below - tall)
                bars.append(f'<rect class="{name}" x="{index + 0.05}" y="{top:.2f}" width="0.9" height="{tall:.2f}"/>')
                below += tall
    return (
        f'<svg class="histogram" viewBox="0 0 {len(kept)} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="histogram: {int(dropped.sum())} of {int(kept.sum() + dropped.sum())} beyond the limits">'
        f"{''.join(bars)}</svg>"
    )

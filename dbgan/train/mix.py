"""What stage 2 sees: real pairs with synthetic ones mixed in, of several corpora, some through a camera model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from dbgan import seeds
from dbgan.blur.camera_blur import Camera
from dbgan.blur.sensor import camera
from dbgan.train.batches import Batches, Crop, stacked
from dbgan.train.spans import span

if TYPE_CHECKING:
    from dbgan.params import CameraParams


class MixedBatches:
    """Batches of `real` in which each sample is replaced by a synthetic pair with probability `mix` (stage 2, "+").

    Which ones, of which corpus, and which camera are functions of (seed, step, index), so `control` (mix 0) sees the
    same real crops elsewhere.

    Args:
        real: pairs of captures.
        synthetic: pairs of each corpus, by its name; may be empty where `mix` is 0.
        mix: probability of a synthetic pair.
        weights: relative frequency of each corpus; None: all alike.
        sensors: the camera model that the blurry crop of a synthetic pair goes through; None: none.
        all_crops: real pairs, which are averages of frames, go through it as well.
    """

    def __init__(
        self,
        real: Batches,
        synthetic: Mapping[str, Batches],
        mix: float,
        *,
        weights: Mapping[str, float] | None = None,
        sensors: CameraParams | None = None,
        all_crops: bool = False,
    ) -> None:
        self.real, self.synthetic, self.mix = real, dict(synthetic), mix
        self._all_crops = all_crops
        self._camera = None if sensors is None else Camera(**sensors.model_dump())
        shares = np.array([1.0 if weights is None else weights[name] for name in self.synthetic])
        self._bounds = np.cumsum(shares / shares.sum()) if len(shares) else shares

    def corpus(self, step: int, i: int) -> str:
        """Name of the corpus that the `i`-th sample of batch `step` is of; "" for a real pair."""
        first, second = seeds.generator(self.real.seed, "mix", step, i).random(2)
        if first >= self.mix:
            return ""
        return list(self.synthetic)[min(int(np.searchsorted(self._bounds, second, "right")), len(self.synthetic) - 1)]

    def crops(self, step: int, i: int) -> Crop:
        """The `i`-th crop of batch `step`, as `Batches.crops`."""
        name = self.corpus(step, i)
        crops = (self.synthetic[name] if name else self.real).crops(step, i)
        if self._camera is None or not (name or self._all_crops):
            return crops
        rng = seeds.generator(self.real.seed, "camera", step, i)
        pictures = tuple(c.cpu().numpy() if isinstance(c, Tensor) else c for c in crops)
        blur, *others = pictures
        return (camera(np.ascontiguousarray(blur), self._camera.draw(rng), rng), *others)

    def __call__(self, step: int) -> tuple[Tensor, ...]:
        """The rows of batch `step` that `real` makes, as `Batches`."""
        with span("data"):
            for batches in (self.real, *self.synthetic.values()):
                batches.begin(step)
            return stacked([self.crops(step, i) for i in self.real.rows])

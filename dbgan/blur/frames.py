"""Which consecutive frames of a sequence make one blurry picture, and frames put between them against ghosts."""

from __future__ import annotations

import importlib
import itertools
import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from dbgan.errors import DbganError

Frame = NDArray[np.uint8]

MIN_FLOW = 16
"""px of a side; of smaller frames OpenCV's DIS raises, or ends the process (it chooses scales by the width alone)."""


class Interpolator(Protocol):
    """Makes frames between two. A plug-in: see `interpolator_of`. Picklable."""

    @property
    def name(self) -> str:
        """Names it in records and recipes."""

    def describe(self) -> dict[str, Any]:
        """JSON-able settings that determine its output; part of the recipe. A network gives its weights' digest."""

    def __call__(self, first: Frame, second: Frame, times: Sequence[float]) -> list[Frame]:
        """Frames at `times` between two.

        Args:
            first, second: HWC uint8 RGB of one size, at times 0 and 1.
            times: each inside (0, 1), ascending.

        Returns:
            One frame per time, as `first`.
        """


class FlowInterpolator:
    """Linear motion along DIS optical flow (Kroeger et al., ECCV 2016), from both frames.

    Flow at time t is put together from the flows F01 and F10 between the two frames as by Jiang et al. (CVPR 2018,
    eq. 4); both frames are warped to t and mixed by how near in time they are. It follows motion that is smooth over
    the frame; at the edges of what moves, and where the flow fails, it fades from one frame to the other.
    """

    name: ClassVar[str] = "dis"

    def describe(self) -> dict[str, Any]:
        """No settings."""
        return {}

    def __call__(self, first: Frame, second: Frame, times: Sequence[float]) -> list[Frame]:
        """See `Interpolator`."""
        there, back = flow(first, second), flow(second, first)
        made = []
        for t in times:
            to_first = -(1 - t) * t * there + t * t * back
            to_second = (1 - t) * (1 - t) * there - t * (1 - t) * back
            early, late = _warped(first, to_first), _warped(second, to_second)
            made.append(np.floor((1 - t) * early + t * late + 0.5).astype(np.uint8))
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FlowInterpolator)

    def __hash__(self) -> int:
        return hash(FlowInterpolator)


def interpolator_of(name: str) -> Interpolator:
    """`dis`, the one that is built in, or MODULE:NAME, a class of your own that is made without arguments.

    Modules are also looked for in the working folder, which is the project's: that of its stages and of Ray's workers.

    Raises:
        DbganError: there is no such module or class, or what it makes is no interpolator.
    """
    if name == FlowInterpolator.name:
        return FlowInterpolator()
    module, _, inside = name.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        made = getattr(importlib.import_module(module), inside)()
        made.name, made.describe(), made.__call__
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise DbganError(
            f"interpolator {name!r}: expected `dis`, or MODULE:NAME of a class with `name`, `describe()` and a call, "
            f"that is made without arguments; found none ({error}).\n"
            "Next: see docs/blur.md; modules are looked for among the installed ones and in the folder you are in."
        ) from None
    return made  # type: ignore[no-any-return]


def windows(frames: Iterable[str], before: int, after: int, stride: int = 1) -> dict[str, tuple[str, ...]]:
    """Every complete window of consecutive frames of one sequence: name of its sharp frame -> names in order of time.

    Frames are consecutive where the numbers at the end of their names are; a gap in the numbers starts a new run, so
    no window spans it. Within a run windows begin at every `stride`-th frame from its first.

    Args:
        frames: names of one sequence, in any order, such as 000123 or clip-000123.
        before, after: frames needed on both sides of the sharp one.
        stride: frames from one window to the next.

    Raises:
        ValueError: a name without a number at its end, two names of one number, or no complete window.
    """
    numbers: dict[int, str] = {}
    for name in frames:
        found = re.search(r"(\d+)$", name)
        if found is None:
            raise ValueError(f"frame {name!r} has no number at its end, so its neighbours in time are not known")
        if numbers.setdefault(int(found[1]), name) != name:
            raise ValueError(f"frames {numbers[int(found[1])]!r} and {name!r} have one number")
    length = before + 1 + after
    made: dict[str, tuple[str, ...]] = {}
    for run in _runs(sorted(numbers)):
        for start in range(0, len(run) - length + 1, stride):
            window = tuple(numbers[n] for n in run[start : start + length])
            made[window[before]] = window
    if not made:
        longest = max((len(run) for run in _runs(sorted(numbers))), default=0)
        raise ValueError(f"a window is {length} consecutive frames, found at most {longest} in a row")
    return made


def fill(frames: Sequence[Frame], factor: int, interpolator: Interpolator) -> list[Frame]:
    """The frames with `factor` - 1 new ones between each two: ((len - 1) factor + 1) in all.

    Raises:
        ValueError: the interpolator made another number of frames.
    """
    times = [step / factor for step in range(1, factor)]
    filled = [frames[0]]
    for first, second in itertools.pairwise(frames):
        between = interpolator(first, second, times) if times else []
        if len(between) != len(times):
            raise ValueError(f"interpolator {interpolator.name!r}: expected {len(times)} frames, found {len(between)}")
        filled += [*between, second]
    return filled


def _runs(numbers: Sequence[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for number in numbers:
        if not runs or number != runs[-1][-1] + 1:
            runs.append([])
        runs[-1].append(number)
    return runs


def flow(first: Frame, second: Frame) -> NDArray[np.float32]:
    """Where each pixel of `first` is in `second`: (H, W, 2) float32, dx, dy in px; 0 in frames under `MIN_FLOW` px."""
    if min(first.shape[:2]) < MIN_FLOW:
        return np.zeros((*first.shape[:2], 2), np.float32)
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    # Propagation runs within stripes of the picture, shared among threads: without it no result can depend on these.
    dis.setUseSpatialPropagation(False)
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (first, second)]
    return np.asarray(dis.calc(grey[0], grey[1], None), np.float32)


def _warped(frame: Frame, flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """`frame` read at each pixel's place plus `flow`, bilinearly; borders mirrored."""
    height, width = frame.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    read = cv2.remap(
        frame.astype(np.float32),
        x + flow[..., 0],
        y + flow[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(read, np.float32)

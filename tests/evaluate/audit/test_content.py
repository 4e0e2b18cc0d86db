"""Sets of like content pass, also where scenes differ by chance; sets of other content are named."""

from __future__ import annotations

import numpy as np

from dbgan.evaluate.audit.compare import FLOOR, WIDE_GAP, content_apart, content_gaps
from dbgan.evaluate.audit.crops import CropSet, Shot

PICTURES, SEQUENCES, CROPS = 20, 5, 3


def crops(name: str, seed: int, structure: float = 0.05) -> CropSet:
    """Pictures of few scenes, each scene with a structure and brightness of its own."""
    rng = np.random.default_rng(seed)
    scenes = rng.normal((structure, 0.5), (0.01, 0.1), (SEQUENCES, 2))
    contents = [scenes[i % SEQUENCES] + rng.normal(0, (0.003, 0.03), (CROPS, 2)) for i in range(PICTURES)]
    return CropSet(name, [Shot(f"{name}:{i % SEQUENCES}", {}, c, ()) for i, c in enumerate(contents)])


def test_other_scenes_of_the_same_kind_are_seldom_called_other_content() -> None:
    alarms = wide = 0
    for seed in range(10):
        gaps = content_gaps({"real": crops("real", seed), "synthetic": crops("synthetic", 1000 + seed)}, 0)
        assert FLOOR in gaps
        alarms += bool(content_apart(gaps, "synthetic"))
        wide += any(own.value > WIDE_GAP for own in gaps["synthetic"].values())
    assert wide >= 5  # a limit alone would have warned of these
    assert alarms <= 1


def test_other_content_is_named_with_its_distance() -> None:
    gaps = content_gaps({"real": crops("real", 0), "synthetic": crops("synthetic", 1, structure=0.12)}, 0)
    apart = content_apart(gaps, "synthetic")
    assert set(apart) == {"structure"}
    assert apart["structure"] == gaps["synthetic"]["structure"].value > 3

"""Random numbers depend on (seed, purpose, key, variant) and on nothing else."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from dbgan import seeds


def test_draws_are_equal_in_another_process() -> None:
    code = "from dbgan import seeds; print(seeds.generator(7, 'noise', 'SEQ/000001', 2).standard_normal(3).tolist())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert other == str(seeds.generator(7, "noise", "SEQ/000001", 2).standard_normal(3).tolist())


def test_the_seed_is_the_sha256_of_its_parts_by_hand() -> None:
    text = "\x1f".join(["7", "noise", "str:SEQ/000001", "int:2"])
    by_hand = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    assert seeds.digest_seed(7, "noise", "SEQ/000001", 2) == by_hand


@pytest.mark.parametrize(
    "other",
    [(8, "noise", "a", 0), (7, "crop", "a", 0), (7, "noise", "b", 0), (7, "noise", "a", 1), (7, "noise", "a", "0")],
)
def test_every_part_matters(other: tuple[int, str, str, int | str]) -> None:
    assert seeds.digest_seed(7, "noise", "a", 0) != seeds.digest_seed(*other)


def test_normal_draws_over_many_keys_look_normal() -> None:
    draws = np.array([seeds.generator(0, "noise", f"k{i}", 0).standard_normal(4) for i in range(2000)])
    assert abs(draws.mean()) < 0.03
    assert abs(draws.std() - 1) < 0.03
    assert np.abs(np.corrcoef(draws.T) - np.eye(4)).max() < 0.08

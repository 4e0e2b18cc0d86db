"""Precision and device of a training: by parameters and flags."""

from __future__ import annotations

import pytest
import torch

from dbgan.params import TrainingParams
from dbgan.train import numerics


@pytest.mark.parametrize("has_bf16", [False, True])
def test_auto_is_bf16_where_the_flags_say_so_and_a_named_precision_is_taken(
    monkeypatch: pytest.MonkeyPatch, has_bf16: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(numerics, "has_bf16", lambda: has_bf16)
    chosen = [numerics.Numerics.choose(TrainingParams(precision=name)).precision for name in ("auto", "fp32", "bf16")]
    assert chosen == ["bf16" if has_bf16 else "fp32", "fp32", "bf16"]

"""`training.compile`: the same networks by other kernels."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dbgan.params import DbganCommon, PretrainParams
from dbgan.train.dbgan import DbganTask
from dbgan.train.numerics import Numerics
from dbgan.train.pairs import open_data

PARAMS = PretrainParams.model_validate({"schedule": {"steps": 3, "lr": 1e-4}})


@pytest.mark.slow
def test_a_compiled_step_is_the_plain_step_up_to_rounding(common: DbganCommon, datasets: Path) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)

    def task(compiled: bool) -> DbganTask:
        training = common.training.model_copy(update={"compile": compiled, "ema": 0.9})
        with_it = common.model_copy(update={"training": training})
        data = open_data(with_it, PARAMS, datasets)
        return DbganTask("toy", "l1", with_it, PARAMS, None, "", data, Numerics("cpu", bf16=False, threads=1))

    plain, compiled = task(False), task(True)
    assert list(plain.generator.state_dict()) == list(compiled.generator.state_dict())
    for step in range(2):
        assert compiled.step(step) == pytest.approx(plain.step(step), rel=1e-3, abs=1e-5)
    assert compiled.evaluate() == pytest.approx(plain.evaluate(), abs=1e-2)
    assert compiled.generator._compiled_call_impl is not None

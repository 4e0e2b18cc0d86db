"""Machines with GPUs often lack all else: both trainings do their steps without pydantic, ray, dvc and webdataset."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from dbgan.params import AdversarialParams, BganParams, DbganCommon

ABSENT = ("pydantic", "ray", "dvc", "webdataset", "pillow_heif")
CODE = """
import json, sys
for name in {absent}:
    sys.modules[name] = None
from pathlib import Path
from types import SimpleNamespace
from dbgan.train import bgan, dbgan, distributed, pairs, profile
from dbgan.train.numerics import Numerics

class Params(SimpleNamespace):  # what a params file of one's own would become
    def model_dump(self):
        return dict(self.__dict__)
    def arguments(self):
        return self.own

given = json.loads(sys.argv[1], object_hook=lambda found: Params(**found))
root, numerics = Path(sys.argv[2]), Numerics("cpu", bf16=False, threads=1)
for common in (given.common, given.bgan):
    common.perceptual.taps = dict(common.perceptual.taps.__dict__)
    common.generator.own = dict(block="plain", blocks=1, width=8, growth=32)
with numerics.active():
    data = pairs.open_data(given.common, given.base, root)
    restorer = dbgan.DbganTask("toy", "train", given.common, given.base, None, "", data, numerics)
    blurrer = bgan.BganTask("toy", given.bgan, bgan.open_data(given.bgan, root), numerics)
    print(json.dumps([restorer.step(0)["loss"], blurrer.step(0)["d_loss"], blurrer._step("real", 1, 0)["loss"]]))
"""


def test_both_trainings_do_their_steps_without_what_gpu_nodes_lack(
    common: DbganCommon, bgan_params: BganParams, datasets: Path
) -> None:
    base = AdversarialParams.model_validate({"schedule": {"steps": 2}})
    given = {"common": common, "bgan": bgan_params, "base": base}
    text = json.dumps({name: model.model_dump(mode="json") for name, model in given.items()})
    command = [sys.executable, "-c", CODE.format(absent=ABSENT), text, str(datasets)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(value > 0 for value in json.loads(done.stdout))

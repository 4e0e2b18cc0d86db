"""calibrate@NAME: noise and highlights of a train source's cameras -> datasets/train/NAME.cameras.json."""

from __future__ import annotations

from dbgan.blur.calibrate import calibrate
from dbgan.blur.calibration import write_calibration
from dbgan.params import Params
from pipelines.stage import DATASETS, item_of, main, one_argument


def run(params: Params) -> None:
    name = one_argument("a name under `calibrate`")
    values = item_of(params.calibrate, name, "calibrate")
    corpus = DATASETS / "train" / name
    found, left_out = calibrate(corpus, device=values.device or None, pictures=values.pictures)
    write_calibration(DATASETS / "train" / f"{name}.cameras.json", found)
    print(f"{name}: constants of {', '.join(found)}")
    if left_out:
        print(f"{name}: left out, for too few smooth blocks: {', '.join(left_out)}")


if __name__ == "__main__":
    main(run)

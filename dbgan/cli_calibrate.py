"""`dbgan calibrate`: noise constants of cameras from their own pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dbgan.cli_corpus import CorpusFolder
from dbgan.console import print_table


def calibrate(
    corpus: CorpusFolder,
    out: Annotated[Path, typer.Option("--out", dir_okay=False, help="JSON file to write, for synthesize.NAME.camera")],
    device: Annotated[str | None, typer.Option(help="only this device, as `dbgan corpus info` names it")] = None,
    pictures: Annotated[int, typer.Option(min=1, help="measured of each device at most")] = 64,
) -> None:
    """Estimate each device's noise from its captures, for realistic blur."""
    from dbgan.blur.calibrate import calibrate as run
    from dbgan.blur.calibration import write_calibration

    found, left_out = run(corpus, device=device, pictures=pictures)
    write_calibration(out, found)
    print_table(
        ["device", "pictures", "shot", "read", "gain", "with clipped highlights"],
        [
            (
                name,
                f"{constants.pictures}",
                f"{constants.shot:.2g}",
                f"{constants.read:.2g}",
                f"{constants.gain[0]:.2f} to {constants.gain[1]:.2f}",
                f"{constants.clipped_pictures:.0%}",
            )
            for name, constants in found.items()
        ],
    )
    if left_out:
        print(f"left out, for too few smooth blocks: {', '.join(left_out)}")
    print(f"{out}: {len(found)} device(s)")

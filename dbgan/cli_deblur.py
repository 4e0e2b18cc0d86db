"""`dbgan deblur`: photographs, folders, clips and corpora through a trained network."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dbgan.errors import DbganError


class Precision(StrEnum):
    """Of the network's arithmetic."""

    auto = "auto"
    fp32 = "fp32"
    bf16 = "bf16"


class FileType(StrEnum):
    """Of restored pictures."""

    same = "same"
    png = "png"
    jpg = "jpg"


class Existing(StrEnum):
    """What becomes of results that are there already."""

    refuse = "refuse"
    skip = "skip"
    overwrite = "overwrite"


def deblur(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="INPUT...", exists=True, help="pictures, clips, folders of them, corpora")
    ],
    out: Annotated[Path, typer.Option("--out", help="folder for what is restored; names and trees are kept")],
    weights: Annotated[
        Path,
        typer.Option(
            "--weights", exists=True, dir_okay=False, help="a trained network: .safetensors, .onnx, or a known .pth"
        ),
    ],
    tile: Annotated[
        int | None,
        typer.Option(min=64, help="tile side, px; when not given as large as the free memory allows"),
    ] = None,
    precision: Annotated[Precision, typer.Option(help="auto: bf16 on a GPU, fp32 elsewhere")] = Precision.auto,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; torch's choice when not given")] = None,
    file_type: Annotated[
        FileType, typer.Option("--format", help="same: that of each picture, where it can be written")
    ] = FileType.same,
    keep_location: Annotated[
        bool, typer.Option("--keep-location", help="keep the position in photographs that have one")
    ] = False,
    existing: Annotated[
        Existing, typer.Option(help="results that are there already: stop before any work, leave them, write them anew")
    ] = Existing.refuse,
    compare: Annotated[
        bool, typer.Option("--compare", help="write OUT/compare.html: before and after, with sliders")
    ] = False,
) -> None:
    """Restore pictures and clips with a trained network. What fails is listed at the end; the others are done."""
    from dbgan.deblur import Settings
    from dbgan.deblur import deblur as run
    from dbgan.networks.restoring import open_network

    settings = Settings(
        tile=tile,
        precision=precision.value,
        threads=threads,
        form=file_type.value,
        keep_location=keep_location,
        existing=existing.value,
        compare=compare,
    )
    report = run(inputs, open_network(weights), out, settings, weights=weights.name)
    for note in report.notes:
        print(f"note: {note}")
    skipped = f", {report.skipped} were there already" if report.skipped else ""
    print(f"{out}: {len(report.written)} files written{skipped}")
    if report.failed:
        count = len(report.failed)
        listed = "\n".join(report.failed)
        raise DbganError(f"{count} of {count + len(report.written)} were not restored:\n{listed}")

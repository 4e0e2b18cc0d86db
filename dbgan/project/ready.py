"""What a project still lacks before `dvc repro`, which names a missing file alone and not what it is for."""

from __future__ import annotations

from pathlib import Path

from dbgan.curate.review import read_decisions
from dbgan.errors import ParamsError
from dbgan.params import Params

RAW = Path("datasets", "raw")


def lacking(params: Params, folder: Path) -> list[str]:
    """A text for each thing that is missing, with the next step; empty for a project that can run.

    Raw folders that a sample or a `.dvc` file stands for are not missing: a stage or `dvc pull` makes them.
    """
    found = []
    tested = folder / "datasets" / "test"
    if not tested.is_dir() and not any(source.use == "test" for source in params.sources.values()):
        found.append(
            f"{tested}: no such folder, and no source has `use: test`; the leak gate and all scores read it.\n"
            f"Next: name captures that no model learns from as such a source, or do without scores: mkdir -p {tested}"
        )
    for name, source in params.sources.items():
        try:
            read_decisions(folder / "datasets" / "reviews" / f"{name}.csv")
        except ParamsError as error:
            found.append(str(error))
        root = Path(source.root)
        made = [folder / RAW / sample for sample in params.samples]
        above = [folder / root, *(folder / root).parents]
        if (folder / root).is_dir() or any(path in made or Path(f"{path}.dvc").is_file() for path in above):
            continue
        found.append(
            f"{folder / root}: no such folder, the `root` of the source {name}.\n"
            "Next: put the raw files there (docs/data), or correct `root` in params.yaml."
        )
    return found

"""ingest@SOURCE: a raw folder -> datasets/USE/SOURCE, the corpus."""

from __future__ import annotations

from pathlib import Path

from dbgan.errors import DbganError
from dbgan.ingest import ingest
from dbgan.params import Params
from pipelines.stage import DATASETS, item_of, main, one_argument


def refuse_unnamed(params: Params, datasets: Path) -> None:
    """Stop on corpora that no params name: stages that read the parent folder would keep depending on them."""
    for use in ("train", "test"):
        named = {name for name, source in params.sources.items() if source.use == use}
        for folder in sorted(p for p in (datasets / use).glob("*") if p.is_dir()):
            if folder.name not in named:
                raise DbganError(
                    f"{folder}: this corpus is named by no source with `use: {use}` in params.yaml.\n"
                    f"Expected: {', '.join(sorted(named)) or '(none)'}.\n"
                    f"Next: add the source again, or remove what is left of it:\n"
                    f"  rm -r {folder} {folder}.selection.parquet"
                )


def run(params: Params) -> None:
    name = one_argument("a name under `sources`")
    source = item_of(params.sources, name, "sources")
    refuse_unnamed(params, DATASETS)
    ingest(name, source.ingest, Path(source.root), DATASETS / source.use / name)


if __name__ == "__main__":
    main(run)

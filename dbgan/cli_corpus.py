"""`dbgan corpus`: look at corpora, check them, take them apart and put them together.

Every verb streams: its memory does not grow with the pictures. Exit codes: see `dbgan.cli`.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dbgan.console import print_facts, print_table
from dbgan.errors import DbganError

if TYPE_CHECKING:
    from dbgan.corpus import Corpus
    from dbgan.corpus.diff import Difference


class Target(StrEnum):
    """What `dbgan corpus export` writes."""

    folders = "folders"
    lmdb = "lmdb"


corpus_app = typer.Typer(no_args_is_help=True, help="Look at corpora, check, compare, export and merge them.")

CorpusFolder = Annotated[Path, typer.Argument(metavar="CORPUS", exists=True, file_okay=False, help="corpus folder")]
NewFolder = Annotated[Path, typer.Argument(metavar="OUT", help="folder to make; absent or empty")]
Selection = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="only what this selection.parquet keeps")
]
Split = Annotated[str | None, typer.Option(help="with --selection: only this split (train, val or test)")]
SHOWN = 50
"""Lines that `diff` prints without `--all`."""


def opened(corpus: Path, selection: Path | None = None, split: str | None = None) -> Corpus:
    """The corpus, or the part of it that a selection keeps."""
    if split is not None and selection is None:
        raise typer.BadParameter("which sample is in which split is written in --selection FILE", param_hint="--split")
    from dbgan.corpus import Corpus

    return Corpus.open(corpus, selection, split)


@corpus_app.command("info")
def corpus_info(
    corpus: CorpusFolder,
    rejects: Annotated[bool, typer.Option("--rejects", help="list the refused inputs instead")] = False,
) -> None:
    """Counts, sizes, devices, splits, disk; or what was refused and why."""
    if not rejects:
        from dbgan.corpus import info

        print_facts(info.facts(corpus))
        return
    refused = refused_inputs(corpus)
    if refused:
        print_table(["reason", "detail", "file"], refused)
    else:
        print(f"{corpus}: no input was refused")


def refused_inputs(corpus: Path) -> list[tuple[str, str, str]]:
    """Reason, detail and file; a path where this machine's `.dbgan/` knows which one a digest stands for."""
    import json

    from dbgan.corpus import tables
    from dbgan.ingest.refusals import origins_path

    rows = tables.read_parquet(corpus / tables.REJECTS).to_pylist()
    origins = origins_path(opened(corpus).name, corpus)
    paths = json.loads(origins.read_bytes()) if origins.is_file() else {}
    return sorted((row["reason"], row["detail"], paths.get(row["origin"], row["origin"])) for row in rows)


@corpus_app.command("verify")
def corpus_verify(
    corpus: CorpusFolder,
    quick: Annotated[bool, typer.Option("--quick", help="neither hash nor decode: sizes, names, counts")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="threads; one per core, at most 8, if not given")] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="remove the tars of damaged shards: the next build makes exactly these")
    ] = False,
) -> None:
    """Check shards, tables and samples against each other. Exit 1 with a table of what is wrong."""
    from dbgan.corpus.verify import damaged_shards, remove_shards, shard_count, verify
    from dbgan.progress import progress

    with progress(f"verify {corpus.name}", shard_count(corpus)) as bar:
        problems = verify(corpus, quick=quick, workers=workers, done=lambda shard: bar.advance(note=shard))
    if not problems:
        hashed = " (quick: not hashed)" if quick else ""
        print(f"{corpus}: {len(opened(corpus))} samples, nothing wrong{hashed}")
        return
    print_table(["where", "what"], [(p.where, p.what) for p in problems])
    damaged = damaged_shards(corpus, problems)
    if damaged and repair:
        remove_shards(corpus, damaged)
        print("removed, for the next build to make again:", *(corpus / f"{shard}.tar" for shard in damaged), sep="\n  ")
    raise DbganError(f"{corpus}: {len(problems)} problem(s).\nNext: {next_step(corpus, len(damaged), repair)}")


def next_step(corpus: Path, damaged: int, repaired: bool) -> str:
    """What to do about a corpus with problems. A build keeps shards by their size, so damaged ones must go first."""
    if not damaged:
        return f"do what the table says, or remove {corpus} and run what made it again."
    if repaired:
        return f"run what made the corpus again: it makes the {damaged} removed shard(s), and keeps the others."
    return (
        f"dbgan corpus verify {corpus} --repair removes the tars of the {damaged} damaged shard(s); "
        "then run what made the corpus again, which makes exactly these."
    )


@corpus_app.command("ls")
def corpus_ls(
    corpus: CorpusFolder,
    sequence: Annotated[str, typer.Option(help="only this sequence")] = "",
    selection: Selection = None,
    split: Split = None,
) -> None:
    """The keys of a corpus, one a line."""
    matching = 0
    for key in opened(corpus, selection, split).keys:
        if not sequence or key.partition("/")[0] == sequence:
            print(key)
            matching += 1
    if sequence and not matching:
        raise DbganError(f"{corpus}: no sample of sequence {sequence!r}.\nNext: dbgan corpus ls {corpus}")


@corpus_app.command("show")
def corpus_show(
    corpus: CorpusFolder,
    key: Annotated[str, typer.Argument(help="SEQUENCE/FRAME, as `dbgan corpus ls` prints them")],
    out: Annotated[
        Path | None, typer.Option(help="folder for the sample's pictures; none are written without it")
    ] = None,
) -> None:
    """The metadata and measures of one sample, and its pictures as PNG files."""
    from dbgan.corpus import rows
    from dbgan.corpus.columns import measure_columns
    from dbgan.files import write_bytes
    from dbgan.image.codec import encode

    whole = opened(corpus)
    if key not in whole:
        raise DbganError(f"{corpus}: no sample {key!r} among its {len(whole)}.\nNext: dbgan corpus ls {corpus}")
    found = whole[key]
    shapes = {name: f"{image.shape[1]}x{image.shape[0]}" for name, image in found.images.items()}
    row = next(rows.between(corpus, key, key), {})
    measures = {name: row[name] for name in measure_columns(whole.kind) if row.get(name) is not None}
    print_facts({**shapes, **found.meta, **measures, "warnings": row.get("warnings", "")})
    if out is not None:
        for name, image in found.images.items():
            target = out / f"{key.replace('/', '-')}-{name}.png"
            write_bytes(target, encode(image, "png"))
            print(target)


@corpus_app.command("extract")
def corpus_extract(
    corpus: CorpusFolder,
    out: NewFolder,
    sequence: Annotated[str, typer.Option(help="only this sequence")] = "",
    selection: Selection = None,
    split: Split = None,
) -> None:
    """Unpack samples as files: OUT/SEQUENCE/FRAME.FIELD.EXT and FRAME.json. Every member's sha256 is checked."""
    from dbgan.corpus.export import extract

    print(f"{out}: {extract(opened(corpus, selection, split), out, sequence=sequence)} samples")


@corpus_app.command("export")
def corpus_export(
    corpus: CorpusFolder,
    out: NewFolder,
    to: Annotated[Target, typer.Option(help="folders: GT/ and LQ/ with meta_info files; lmdb: GT.lmdb and LQ.lmdb")],
    selection: Selection = None,
    split: Split = None,
) -> None:
    """Write what BasicSR and its descendants read. Pictures keep their bytes; every sha256 is checked."""
    from dbgan.corpus import export

    write = export.to_lmdb if to is Target.lmdb else export.to_folders
    print(f"{out}: {write(opened(corpus, selection, split), out)} samples")


@corpus_app.command("diff")
def corpus_diff(
    old: Annotated[Path, typer.Argument(metavar="A", exists=True, file_okay=False, help="corpus folder")],
    new: Annotated[Path, typer.Argument(metavar="B", exists=True, file_okay=False, help="corpus folder")],
    every: Annotated[bool, typer.Option("--all", help=f"print every difference, not only the first {SHOWN}")] = False,
) -> None:
    """Samples that B adds (+) and lacks (-), and whose pictures or metadata differ (~). Exit 0: equal, 1: not."""
    from dbgan.corpus.diff import compare

    counts = print_differences(compare(old, new), every)
    if not counts:
        print(f"{old} and {new} have equal samples")
        return
    print(", ".join(f"{counts[what]:,} {what}" for what in sorted(counts)))
    raise typer.Exit(1)


def print_differences(differences: Iterator[Difference], every: bool) -> dict[str, int]:
    """Print them while they are found; returns how many there are of each kind."""
    counts: dict[str, int] = {}
    for number, difference in enumerate(differences):
        counts[difference.what] = counts.get(difference.what, 0) + 1
        if every or number < SHOWN:
            print(difference)
        elif number == SHOWN:
            print("... (--all prints every one)")
    return counts


@corpus_app.command("leaks")
def corpus_leaks(
    corpora: Annotated[list[Path], typer.Argument(metavar="CORPUS...", exists=True, file_okay=False)],
    splits: Annotated[
        bool, typer.Option("--splits", help="compare the splits in CORPUS.selection.parquet, not whole corpora")
    ] = False,
    near_bits: Annotated[int, typer.Option(min=0, max=64, help="near-identical: so many of 256 bits or fewer")] = 24,
    every: Annotated[Path | None, typer.Option("--csv", help=f"file for all pairs; {SHOWN} are printed")] = None,
) -> None:
    """Sequences, equal pixels and near-identical pictures that corpora have in common. Exit 1: there are any."""
    from dbgan.curate import gate, leaks
    from dbgan.files import write_bytes

    sides = []
    for path in corpora:
        selection = path.with_name(f"{path.name}.selection.parquet")
        corpus = opened(path)
        sides += gate.split_sides(corpus, selection) if splits else [gate.whole_side(corpus)]
    if len({side.role for side in sides}) < 2:
        raise typer.BadParameter("name two corpora, or --splits for one that has several", param_hint="CORPUS...")
    found = leaks.find(sides, near_bits)
    for note in gate.notes(sides):
        print(note)
    if found:
        rows = (
            (x.what, *(f"{p.role} {p.key}" for p in (x.left, x.right)), str(x.bits), x.known) for x in found[:SHOWN]
        )
        print_table(["what", "left", "right", "bits", "known"], rows)
    if every is not None:
        write_bytes(every, gate.as_csv(found).encode())
    if count := sum(not leak.known for leak in found):
        where = str(every) if every else "--csv FILE writes them"
        raise DbganError(f"{count} in common" + (f"; all of them: {where}." if len(found) > SHOWN else "."))
    print(f"{', '.join(side.name for side in sides)}: nothing in common" + (" that is not known" if found else ""))


@corpus_app.command("merge")
def corpus_merge(
    corpora: Annotated[
        list[Path], typer.Argument(metavar="CORPUS...", exists=True, file_okay=False, help="of one kind and file type")
    ],
    out: Annotated[Path, typer.Option("--out", help="corpus folder to write or to bring up to date")],
) -> None:
    """Put several corpora into one; pictures keep their bytes. Says what it renamed and what was there twice."""
    from dbgan.merge import merge

    merge(corpora, out)


@corpus_app.command("card")
def corpus_card(corpus: CorpusFolder) -> None:
    """Write README.md and croissant.json anew from the tables."""
    from dbgan.corpus import card, croissant, info, tables
    from dbgan.corpus.read import Corpus
    from dbgan.files import write_bytes

    opened = Corpus.open(corpus)
    len(opened)  # a damaged manifest must not get a new digest in croissant.json
    header = opened.header
    written = {
        tables.CARD: write_bytes(corpus / tables.CARD, card.render(header, info.counts(corpus)).encode()),
        croissant.CROISSANT: croissant.write(corpus, header),
    }
    for name, new in written.items():
        print(f"{corpus / name}: {'written' if new else 'was up to date'}")

"""The command line: the pipeline's verbs by hand.

Imports of torch, ray, pandas or OpenCV happen inside the verbs, so that `dbgan --help` answers at once.
Exit codes: 0 fine, 1 something was found wrong, 2 bad usage, 130 interrupted.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from typer.core import TyperGroup

from dbgan.errors import DbganError, ImageError, ParamsError

if TYPE_CHECKING:
    from pydantic import BaseModel

    M = TypeVar("M", bound=BaseModel)


class Verbs(TyperGroup):
    """Turns the package's own errors into a message and an exit code. Any other exception is a bug: traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except DbganError as error:
            print(f"error: {error}", file=sys.stderr)
            raise typer.Exit(2 if isinstance(error, ParamsError) else 1) from None
        except KeyboardInterrupt:
            print("interrupted: finished work is kept; run the same command to go on.", file=sys.stderr)
            raise typer.Exit(130) from None


class BlurModel(StrEnum):
    """What `dbgan blur` can blur with. Averaging needs high-speed frames, which a corpus does not hold."""

    bgan = "bgan"
    kernel = "kernel"


HELP = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(
    cls=Verbs,
    context_settings=HELP,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Raw captures in, versioned deblurring corpora and trained deblurring networks out.",
)
corpus_app = typer.Typer(no_args_is_help=True, help="Look at a corpus and check it.")
weights_app = typer.Typer(no_args_is_help=True, help="Look at trained weights.")
app.add_typer(corpus_app, name="corpus")
app.add_typer(weights_app, name="weights")

CorpusFolder = Annotated[Path, typer.Argument(metavar="CORPUS", exists=True, file_okay=False, help="corpus folder")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="a parameter and its value (YAML); may be given several times"),
]
Workers = Annotated[
    int, typer.Option(min=0, help="1: in this process; N: that many Ray actors; 0: one Ray actor per device")
]


def _show_version(asked: bool) -> None:
    if asked:
        from dbgan import __version__

        print(f"dbgan {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Global options."""


def with_settings(model: type[M], settings: Sequence[str] | None, **fixed: Any) -> M:
    """`model` from `key=value` texts and from values that have an option of their own.

    Raises:
        ParamsError: a text without `=`, a key given twice, an unknown key (with the nearest right one), a wrong value.
    """
    import yaml

    from dbgan.params import validated

    values: dict[str, Any] = {}
    for text in settings or ():
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ParamsError(f"--set {text}: expected KEY=VALUE, such as --set min_side=64")
        if key in fixed:
            raise ParamsError(f"--set {text}: {key} has an option of its own, --{key.replace('_', '-')}")
        if key in values:
            raise ParamsError(f"--set {text}: {key} was given before, as {values[key]!r}")
        try:
            values[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ParamsError(f"--set {text}: the value is not YAML: {error}") from None
    return validated(model, {**values, **fixed}, "--set")


@app.command()
def sample(out: Annotated[Path, typer.Argument(help="folder to write")], settings: Settings = None) -> None:
    """Render the embedded demo input: GOPRO-like pairs and two phones' blurry captures."""
    from dbgan.params import SampleParams

    params = with_settings(SampleParams, settings)
    from dbgan.sample import render

    render(params, out)


@app.command()
def ingest(
    root: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="raw folder; it is only read")],
    out: Annotated[Path, typer.Argument(help="corpus folder to write or to bring up to date")],
    layout: Annotated[str, typer.Option(help="layout of the raw folder: gopro, captures or paired")],
    settings: Settings = None,
    workers: Workers = 1,
) -> None:
    """Turn a raw folder into a corpus; shards that are done already are kept."""
    from dbgan.params import IngestParams

    params = with_settings(IngestParams, settings, layout=layout)
    from dbgan.ingest import ingest as run

    run(out.name, params, root, out, workers=workers)


@app.command()
def blur(
    corpus: CorpusFolder,
    out: Annotated[Path, typer.Argument(help="corpus folder to write or to bring up to date")],
    model: Annotated[BlurModel, typer.Option(help="what blurs")] = BlurModel.bgan,
    weights: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="of the BGAN; bgan only")] = None,
    variants: Annotated[int, typer.Option(min=1, help="blurry versions of each sharp picture")] = 1,
    seed: Annotated[int, typer.Option(help="seed of everything random")] = 0,
    workers: Workers = 1,
) -> None:
    """Blur the sharp pictures of a corpus into a corpus of pairs."""
    if (model is BlurModel.bgan) != (weights is not None):
        raise typer.BadParameter("--model bgan needs --weights FILE, other models take none", param_hint="--weights")
    from dbgan.synthesize import blur_corpus

    blur_corpus(corpus, out, model=model.value, weights=weights, variants=variants, seed=seed, workers=workers)


@app.command()
def deblur(
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT...", exists=True, help="pictures, or folders of them")],
    out: Annotated[Path, typer.Option("--out", help="folder for the restored pictures (PNG)")],
    weights: Annotated[Path, typer.Option("--weights", exists=True, dir_okay=False, help="of a trained DBGAN")],
    tile: Annotated[
        int, typer.Option(min=64, help="tile side, px: less memory when smaller, never another result")
    ] = 512,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; torch's choice when not given")] = None,
) -> None:
    """Restore pictures with a trained network. Names and folders are kept; what fails is listed at the end."""
    from dbgan.files import write_bytes
    from dbgan.image.codec import decode, encode
    from dbgan.networks import load_weights
    from dbgan.progress import progress
    from dbgan.restore import restore

    targets = restored_paths(inputs, out)
    network = load_weights(weights)
    if network.architecture.get("kind") != "dbgan":
        raise DbganError(
            f"{weights}: expected a generator of kind dbgan, found {network.architecture}.\n"
            "Next: give the weights of a deblurring network, such as models/dbgan/plus/weights.safetensors."
        )
    failed: list[str] = []
    with progress("deblur", len(targets)) as bar:
        for picture, target in targets.items():
            try:
                restored = restore(decode(picture.read_bytes()), network, tile=tile, threads=threads)
                write_bytes(target, encode(restored, "png"))
            except ImageError as error:
                failed.append(f"{picture}: {error}")
            bar.advance(note=picture.name)
    if failed:
        raise DbganError(f"{len(failed)} of {len(targets)} pictures were not restored:\n" + "\n".join(failed))


def restored_paths(inputs: Sequence[Path], out: Path) -> dict[Path, Path]:
    """Input picture -> file to write: `out`, then the path below the given folder, as `.png`.

    Twins such as IMG_1.HEIC and IMG_1.JPG keep their own suffix in the name: IMG_1-heic.png, IMG_1-jpg.png.

    Raises:
        DbganError: a folder without pictures, two inputs for one file, or an input that would be overwritten.
    """
    from dbgan.ingest.scan import PICTURES, is_picture, walk

    relative: dict[Path, Path] = {}
    for given in inputs:
        if given.is_file():
            relative[given] = Path(given.name)
            continue
        pictures = [given / path for path in walk(given).files if is_picture(path)]
        # Results of an earlier run are no inputs.
        pictures = [p for p in pictures if not p.resolve().is_relative_to(out.resolve())]
        if not pictures:
            raise DbganError(f"{given}: no pictures below it. Expected names in {', '.join(sorted(PICTURES))}.")
        relative |= {p: p.relative_to(given) for p in pictures}

    stems = Counter(path.with_suffix("") for path in relative.values())
    owners = {picture.resolve(): picture for picture in relative}
    targets: dict[Path, Path] = {}
    for picture, path in relative.items():
        twin = f"-{path.suffix[1:].lower()}" if stems[path.with_suffix("")] > 1 else ""
        target = out / path.with_name(f"{path.stem}{twin}.png")
        owner = owners.setdefault(target.resolve(), picture)
        if owner is not picture or target.resolve() == picture.resolve():
            raise DbganError(
                f"{picture}: its result would be written to {target}, which belongs to {owner}.\n"
                "Next: choose another --out, or restore inputs of the same name in separate runs."
            )
        targets[picture] = target
    return targets


@weights_app.command("info")
def weights_info(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="safetensors file")]) -> None:
    """Architecture, size and digest of a weights file."""
    from dbgan.files import sha256_file
    from dbgan.networks import load_weights, parameter_count

    network = load_weights(file)
    facts = {**network.architecture, "parameters": f"{parameter_count(network):,}", "sha256": sha256_file(file)}
    if "block" in network.architecture:
        facts["receptive radius"] = f"{network.receptive_radius} px"
    print_facts(facts)


@corpus_app.command("info")
def corpus_info(
    corpus: CorpusFolder,
    rejects: Annotated[bool, typer.Option("--rejects", help="list the refused inputs instead")] = False,
) -> None:
    """Counts, sizes, devices, splits; or what was refused and why."""
    if rejects:
        print_rejects(corpus)
    else:
        print_corpus(corpus)


@corpus_app.command("verify")
def corpus_verify(
    corpus: CorpusFolder,
    quick: Annotated[bool, typer.Option("--quick", help="sizes and counts only, no hashing")] = False,
) -> None:
    """Check shards, tables and samples against each other. Exit 1 with a table of what is wrong."""
    from dbgan.corpus import Corpus

    opened = Corpus.open(corpus)
    problems = opened.verify(quick=quick)
    if not problems:
        print(f"{corpus}: {len(opened)} samples, nothing wrong{' (quick: not hashed)' if quick else ''}")
        return
    print_table(["where", "what"], [(p.where, p.what) for p in problems])
    raise DbganError(
        f"{corpus}: {len(problems)} problem(s).\nNext: run what made the corpus again; it rebuilds damaged shards."
    )


@corpus_app.command("ls")
def corpus_ls(
    corpus: CorpusFolder,
    sequence: Annotated[str, typer.Option(help="only this sequence")] = "",
) -> None:
    """The keys of a corpus, one a line."""
    from dbgan.corpus import Corpus

    for key in Corpus.open(corpus).keys:
        if not sequence or key.partition("/")[0] == sequence:
            print(key)


@corpus_app.command("show")
def corpus_show(
    corpus: CorpusFolder,
    key: Annotated[str, typer.Argument(help="SEQUENCE/FRAME, as `dbgan corpus ls` prints them")],
    out: Annotated[
        Path | None, typer.Option(help="folder for the sample's pictures; none are written without it")
    ] = None,
) -> None:
    """The metadata of one sample, and its pictures as PNG files."""
    from dbgan.corpus import Corpus
    from dbgan.files import write_bytes
    from dbgan.image.codec import encode

    opened = Corpus.open(corpus)
    if key not in opened:
        raise DbganError(f"{corpus}: no sample {key!r} among its {len(opened)}.\nNext: dbgan corpus ls {corpus}")
    found = opened[key]
    shapes = {name: f"{image.shape[1]}x{image.shape[0]}" for name, image in found.images.items()}
    print_facts({**shapes, **found.meta})
    if out is not None:
        for name, image in found.images.items():
            target = out / f"{key.replace('/', '-')}-{name}.png"
            write_bytes(target, encode(image, "png"))
            print(target)


def print_corpus(corpus: Path) -> None:
    """What a corpus holds, from its tables alone."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from dbgan.corpus import Corpus

    opened = Corpus.open(corpus)
    shards = pq.read_table(corpus / "shards.parquet", columns=["bytes"])
    table = opened.table(["sequence", "device", "width", "height"])
    sizes = Counter(f"{w}x{h}" for w, h in zip(table["width"], table["height"], strict=True))
    facts = {
        "corpus": opened.name,
        "kind": f"{opened.kind} ({', '.join(opened.fields)})",
        "samples": f"{len(opened):,}",
        "sequences": f"{table['sequence'].nunique():,}",
        "shards": f"{shards.num_rows:,}, {(pc.sum(shards['bytes']).as_py() or 0) / 1e6:,.1f} MB",
        "pictures": counted(sizes),
        "devices": counted(Counter(table["device"].replace("", "unknown"))),
        "rejects": f"{pq.read_metadata(corpus / 'rejects.parquet').num_rows:,}",
    }
    selection = corpus.with_name(f"{corpus.name}.selection.parquet")
    if selection.is_file():
        chosen = pq.read_table(selection, columns=["split", "keep"]).to_pylist()
        facts["splits"] = counted(Counter(row["split"] if row["keep"] else "dropped" for row in chosen))
    print_facts(facts)


def print_rejects(corpus: Path) -> None:
    """Refused inputs, by path where this machine's `.dbgan/` knows which file a digest stands for."""
    import json

    import pyarrow.parquet as pq

    from dbgan.corpus import Corpus
    from dbgan.ingest.refusals import origins_path

    rows = pq.read_table(corpus / "rejects.parquet").to_pylist()
    if not rows:
        print(f"{corpus}: no input was refused")
        return
    origins = origins_path(Corpus.open(corpus).name)
    paths = json.loads(origins.read_bytes()) if origins.is_file() else {}
    files = [paths.get(row["origin"], row["origin"]) for row in rows]
    print_table(["reason", "detail", "file"], [[r["reason"], r["detail"], f] for r, f in zip(rows, files, strict=True)])


def counted(counts: Mapping[str, int], most: int = 6) -> str:
    """`name count` for the most frequent, and how many others there are.

    >>> counted({"Pixel 8": 3, "iPhone XS": 9})
    'iPhone XS 9, Pixel 8 3'
    """
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{name} {count:,}" for name, count in ordered[:most]]
    return ", ".join(shown + ([f"and {len(ordered) - most} others"] if len(ordered) > most else []))


def print_facts(facts: Mapping[str, Any]) -> None:
    """One `name  value` a line, aligned."""
    wide = max(len(name) for name in facts)
    for name, value in facts.items():
        print(f"{name:<{wide}}  {value}")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table that is as wide as its content where the output is a file, so that nothing is cut off."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, box=None)
    for row in rows:
        # Names of files may hold brackets, which are no markup, and bytes that are no Unicode.
        table.add_row(*(cell.encode("utf-8", "backslashreplace").decode() for cell in row))
    Console(width=None if sys.stdout.isatty() else 10_000, markup=False, emoji=False, highlight=False).print(table)

"""The command line: the pipeline's verbs by hand.

Imports of torch, ray, pandas or OpenCV happen inside the verbs, so that `dbgan --help` answers at once.
Exit codes: 0 fine, 1 something was found wrong, 2 bad usage, 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from typer.core import TyperGroup

from dbgan.cli_calibrate import calibrate
from dbgan.cli_corpus import CorpusFolder, corpus_app
from dbgan.cli_deblur import deblur
from dbgan.cli_params import params_app
from dbgan.cli_project import new, revisions
from dbgan.cli_publish import publish
from dbgan.cli_review import review
from dbgan.cli_weights import weights_app
from dbgan.errors import DbganError, ParamsError

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
    """What `dbgan blur` can blur with. Averaging needs a corpus of consecutive high-speed frames."""

    bgan = "bgan"
    average = "average"
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
app.command()(calibrate)
app.command()(deblur)
app.command()(review)
app.command()(new)
app.command()(publish)
app.command()(revisions)
app.add_typer(corpus_app, name="corpus")
app.add_typer(params_app, name="params")
app.add_typer(weights_app, name="weights")

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


def with_settings(model: type[M], settings: Sequence[str] | None, /, **fixed: Any) -> M:
    """`model` from `key=value` texts and from values that have an option of their own; `a.b=value` sets b within a.

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
        *above, last = key.split(".")
        place = values
        for part in above:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise ParamsError(f"--set {text}: {part} was given before, as {place!r}")
        if last in place:
            raise ParamsError(f"--set {text}: {key} was given before, as {place[last]!r}")
        try:
            # A glob is text: YAML would take its star for the reference to an anchor.
            place[last] = value if value.startswith("*") else yaml.safe_load(value)
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
    layout: Annotated[
        str,
        typer.Option(
            help="layout of the raw folder: gopro, gopro-all (GOPRO_Large_all), frames, video, captures, "
            "paired or corpus (tars made elsewhere). A wrong one is told what the folder looks like"
        ),
    ],
    settings: Settings = None,
    workers: Workers = 1,
    check_against: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="gopro-all only: GOPRO_Large; prove that the pairs are equal, or name those that differ",
        ),
    ] = None,
) -> None:
    """Turn a raw folder into a corpus; shards that are done already are kept. `dbgan params explain
    sources.NAME.ingest` lists the settings of each layout."""
    from dbgan.params import IngestParams

    params = with_settings(IngestParams, settings, layout=layout)
    if check_against is not None and params.layout != "gopro-all":
        raise typer.BadParameter(
            "only pairs made from GOPRO_Large_all are those of GOPRO_Large", param_hint="--check-against"
        )
    from dbgan.ingest import ingest as run

    run(out.name, params, root, out, workers=workers)
    if check_against is not None:
        from dbgan.ingest.against import compare

        compared = compare(out, check_against)
        if compared.differing:
            raise DbganError(f"{out}: compared with {check_against}:\n{compared}")
        print(compared)


@app.command()
def blur(
    corpus: CorpusFolder,
    out: Annotated[Path | None, typer.Argument(help="corpus folder to write or to bring up to date")] = None,
    model: Annotated[BlurModel, typer.Option(help="what blurs")] = BlurModel.bgan,
    weights: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="of the BGAN; bgan only")] = None,
    variants: Annotated[int, typer.Option(min=1, help="blurry versions of each sharp picture")] = 1,
    seed: Annotated[int, typer.Option(help="seed of everything random")] = 0,
    workers: Workers = 1,
    settings: Settings = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="tell shards, pairs, bytes and hours, write nothing")
    ] = False,
    like: Annotated[
        str | None, typer.Option(metavar="KEY", help="make this pair of CORPUS, a synthetic one, again and compare")
    ] = None,
    source: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="with --like: the corpus of its sharp frame")
    ] = None,
) -> None:
    """Blur the sharp pictures of a corpus into a corpus of pairs; or, with --like, make one pair again."""
    if like is not None:
        if out is not None:
            raise typer.BadParameter("--like writes nothing: give the synthetic corpus alone", param_hint="OUT")
        _blur_like(corpus, like, source, weights)
        return
    if out is None or source is not None:
        what = "--source goes with --like" if source is not None else "name the folder to write"
        raise typer.BadParameter(what, param_hint="--source" if source is not None else "OUT")
    if (model is BlurModel.bgan) != (weights is not None):
        raise typer.BadParameter("--model bgan needs --weights FILE, other models take none", param_hint="--weights")
    from dbgan.params import SynthesizeParams

    fixed = {"sharp": ["corpus"], "model": model.value, "variants": variants, "seed": seed, "workers": workers}
    given = with_settings(SynthesizeParams, settings, **fixed, generator="given" if weights else "")
    from dbgan.console import print_facts
    from dbgan.synthesize import Estimate, blur_corpus

    told = blur_corpus(
        corpus,
        out,
        model=model.value,
        weights=weights,
        variants=variants,
        seed=seed,
        workers=workers,
        settings=given.model_dump(exclude_unset=True, exclude={*fixed, "generator"}),
        dry_run=dry_run,
    )
    if isinstance(told, Estimate):
        print_facts(told.facts())


def _blur_like(corpus: Path, key: str, source: Path | None, weights: Path | None) -> None:
    from dbgan.synthesize import make_like

    made = make_like(corpus, key, source=source, weights=weights)
    if not made.equal:
        raise DbganError(str(made))
    print(made)

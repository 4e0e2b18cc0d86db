"""What the numbers mean, in words: headline, verdict and warnings. Pure functions over what was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dbgan.image.quality import IDENTITY_DB
from dbgan.params import Params
from dbgan.report.departures import departures, in_words
from dbgan.report.differences import Differences, plural
from dbgan.report.inputs import VARIANTS, number, texts
from dbgan.report.table import INPUT, METRIC_HEADS, Scores, format_metric

UNDER_INPUT_DB = 0.5
"""A variant that loses more than this against its blurry input is warned about."""
FEW_IMAGES = 100
"""Below this many test images the page says that small differences mean little (GOPRO's test set has 1111)."""


@dataclass(frozen=True, slots=True)
class Warned:
    """One warning: which stage or number it comes from, and the sentence."""

    about: str
    words: str


def headline(scores: Scores) -> str:
    """One sentence: the best variant on the first test source against its blurry input."""
    for source in scores.sources:
        best = scores.best(source)
        gain = scores.gain(best, source) if best else None
        if best is None or gain is None:
            continue
        value = scores.get(best, source)
        if gain > 0:
            said = f"{best} restores {source} to {value:.2f} dB, {gain:.2f} dB above its blurry input"
            lower = list(fallen(scores, best, source))
            return f"{said}, but its {' and '.join(lower)} {_falls(lower)} below it" if lower else said
        return f"No variant restores {source}: the best, {best}, is {-gain:.2f} dB under the blurry input"
    return "Nothing has been evaluated yet"


def fallen(scores: Scores, row: str, source: str, against: str = INPUT) -> dict[str, tuple[float, float]]:
    """The SSIMs that are lower than those of `against` although the PSNR is higher: name -> (ours, theirs).

    PSNR rewards a smoother picture; when structure is lost meanwhile, PSNR alone would be called a success.
    """
    ours, theirs = scores.get(row, source), scores.get(against, source)
    if ours is None or theirs is None or ours <= theirs:
        return {}
    found = {}
    for metric in METRIC_HEADS:
        mine, other = scores.get(row, source, metric), scores.get(against, source, metric)
        if metric != "psnr_rgb" and mine is not None and other is not None and mine < other:
            found[METRIC_HEADS[metric]] = (mine, other)
    return found


def _fallen_words(lower: Mapping[str, tuple[float, float]]) -> str:
    return " and ".join(
        f"{name} ({format_metric('ssim', ours)} against {format_metric('ssim', theirs)})"
        for name, (ours, theirs) in lower.items()
    )


def _falls(names: Sequence[str]) -> str:
    return "falls" if len(names) == 1 else "fall"


def sentences(scores: Scores, paired: Mapping[str, Differences]) -> list[str]:
    """The verdict, one claim per sentence.

    Args:
        scores: means.
        paired: source -> the paired differences between its restorers.
    """
    said = [text for source in scores.sources for text in _of_source(scores, source, paired.get(source))]
    return said or ["No evaluate stage has left its metrics, so there is nothing to judge."]


def _of_source(scores: Scores, source: str, paired: Differences | None) -> list[str]:
    said = []
    l1 = scores.gain("l1", source)
    if l1 is not None:
        word = "above" if l1 > 0 else "under"
        said.append(f"{source}: the net trained on the content loss alone is {abs(l1):.2f} dB {word} the blurry input.")
        if lower := fallen(scores, "l1", source):
            said[-1] = f"{said[-1][:-1]}, while {_fallen_words(lower)} {_falls(list(lower))} below that of the input."
    for first, second, text in (
        ("base", "minus", "the relativistic loss (base) against the classical one (minus)"),
        ("plus", "control", "BGAN's pairs mixed in (plus) against the same steps without them (control)"),
    ):
        ours, theirs = scores.get(first, source), scores.get(second, source)
        if ours is None or theirs is None:
            continue
        better, worse = (first, second) if ours > theirs else (second, first)
        lower = fallen(scores, better, source, worse)
        but = f"; {better} is lower in {_fallen_words(lower)}" if lower else ""
        said.append(f"{source}: {text}: {ours - theirs:+.2f} dB{_paired(first, second, paired)}{but}.")
    count = scores.images.get(source, 0)
    if 0 < count < FEW_IMAGES:
        said.append(
            f"{source} has {count} test {plural(count, 'pair')}: this shows that the pipeline works, "
            "and differences of a few tenths of a dB between variants mean little."
        )
    return said


def _paired(first: str, second: str, table: Differences | None) -> str:
    row = None if table is None else table.get(first, second)
    if row is None or row.ends is None:
        return ""
    low, high = row.ends
    sure = "" if row.sure else "; zero is among them, so this may be chance"
    return f" (95 % interval {low:+.2f} to {high:+.2f} over {row.images} {plural(row.images, 'image')}{sure})"


def score_warnings(scores: Scores) -> list[Warned]:
    """A variant clearly under its input, an SSIM that falls while PSNR rises, a useless L1 net, disagreeing inputs."""
    found = [Warned("evaluate", text) for text in scores.conflicts]
    for source in scores.sources:
        l1 = scores.gain("l1", source)
        if l1 is not None and l1 <= 0:
            found.append(
                Warned(
                    source,
                    f"l1 is not above the blurry input ({l1:+.2f} dB): training is broken or far too short.",
                )
            )
        for variant in VARIANTS:
            gain = scores.gain(variant, source)
            if gain is not None and gain < -UNDER_INPUT_DB:
                found.append(
                    Warned(
                        source,
                        f"{variant} is {-gain:.2f} dB under the blurry input "
                        f"({scores.get(variant, source):.2f} against {scores.get(INPUT, source):.2f} dB): "
                        "by this measure it makes the pictures worse. Its pictures are shown as they came.",
                    )
                )
            if gain is not None and (lower := fallen(scores, variant, source)):
                found.append(
                    Warned(
                        source,
                        f"{variant} gains {gain:.2f} dB of PSNR, but {_fallen_words(lower)} {_falls(list(lower))} "
                        "below the blurry input: a gain by PSNR alone, at the cost of structure.",
                    )
                )
    return found


def params_warnings(params: Params) -> list[Warned]:
    """Choices of params.yaml that a reader of the numbers must know."""
    found = [Warned(stage, sentence) for stage, sentence in in_words(departures(params))]
    nets = {f"bgan.{name}": p.perceptual for name, p in params.bgan.items()} | {"dbgan": params.dbgan.common.perceptual}
    for name, perceptual in nets.items():
        if perceptual.weights == "random":
            found.append(
                Warned(
                    name,
                    "The perceptual loss uses random VGG19 weights: its features never saw a photograph. "
                    "The paper uses weights trained on ImageNet.",
                )
            )
    for name, source in params.sources.items():
        if source.ingest.layout == "gopro" and source.ingest.blur == "blur_gamma":
            found.append(
                Warned(
                    name,
                    f"{name} is read with blur_gamma. Most published GOPRO numbers use the folder `blur`, "
                    "and the two are not comparable.",
                )
            )
    return found


def audit_warnings(name: str, audit: Mapping[str, Any]) -> list[Warned]:
    """The audit's own warnings, and the identity alarm even where the audit did not raise it."""
    found = [Warned(f"audit {name}", text) for text in texts(audit.get("warnings"))]
    mean = synthetic_psnr(audit)
    if mean is not None and mean > IDENTITY_DB and not any("identity" in w.words.lower() for w in found):
        found.append(
            Warned(
                f"audit {name}",
                f"BGAN's output is {mean:.1f} dB from its input: almost the identity, hardly a blur "
                f"(alarm over {IDENTITY_DB:.0f} dB; real GOPRO pairs: 24 to 25 dB).",
            )
        )
    return found


def synthetic_psnr(audit: Mapping[str, Any]) -> float | None:
    """Mean PSNR(BGAN(x), x) in dB from an audit.json."""
    psnr = audit.get("psnr")
    synthetic = psnr.get("synthetic") if isinstance(psnr, Mapping) else None
    return number(synthetic.get("mean")) if isinstance(synthetic, Mapping) else number(synthetic)


def merged(warnings: Sequence[Warned]) -> list[Warned]:
    """Equal sentences once, with all that they are about, in the order first seen."""
    about: dict[str, list[str]] = {}
    for warning in warnings:
        names = about.setdefault(warning.words, [])
        if warning.about not in names:
            names.append(warning.about)
    return [Warned(", ".join(names), words) for words, names in about.items()]

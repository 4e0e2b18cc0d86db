"""The page's sections as plain data for the template: audits, corpora, provenance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import yaml

from dbgan.params import Params
from dbgan.report.curves import short
from dbgan.report.inputs import VARIANTS, Inputs, evaluate_stage, number, texts
from dbgan.report.models import ModelCard, computed_by
from dbgan.report.pictures import Album, Picture

AUDIT_FIGURES = (
    ("variants.png", "Sharp frames and BGAN's blur of them under different noise z (like the paper's Fig. 4)"),
    ("psnr.png", "Distance between blurry and sharp: synthetic pairs against averaged ones"),
    ("distances.png", "Distances from the real captures by each measure; 1 is that of the sharp frames"),
    ("strength.png", "Blur strength of real captures, synthetic and averaged blur"),
    ("spectrum.png", "Power spectrum: what blur leaves of high frequencies"),
    ("real.png", "Real captures beside synthetic blur"),
)
AUDIT_WORDS = {
    "psnr": "PSNR between blurry and sharp, dB",
    "strength": "Blur strength",
    "distance": "Wasserstein distance from the real captures",
    "classifier": "AUC of a classifier that tells a set from the real captures (0.5: it cannot)",
    "kid": "KID from the real captures",
    "alignment": "Shift between blurry and sharp, px",
    "drift": "Low-pass difference between blurry and sharp, 8-bit levels",
    "straight_motion": "Pictures with straight motion",
    "content_gap": "Difference in content left after matching, standard deviations",
    "diversity": "What another z changes",
    "usefulness": "Gain of a small network trained on each corpus, real test pairs",
    "median_difference": "Median blur strength minus that of real captures",
    "z_sensitivity": "Mean change of the picture when only z changes, of [0, 1]",
}


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: caption, column names, rows of (name, cells)."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Audit:
    """One audited synthetic corpus; `page` is its own page, from the report's folder, or nothing where it is absent."""

    name: str
    page: str
    values: Mapping[str, Any]
    verdict: tuple[str, ...]
    grids: tuple[Grid, ...]
    figures: Mapping[str, Picture]
    captions: Mapping[str, str]


def audit(album: Album, name: str) -> Audit:
    """`reports/audit/NAME`: verdict, numbers as tables, figures."""
    stage = f"audit@{name}"
    values = album.inputs.json("reports", f"audit/{name}/audit.json", stage)
    figures = {
        file: picture
        for file, caption in AUDIT_FIGURES
        if (picture := album.figure(f"audit/{name}/{file}", f"{caption}; corpus {name}", stage))
    }
    skipped = ("verdict", "warnings")
    grids = tuple(g for key, value in values.items() if key not in skipped and (g := grid(key, value)))
    page = f"audit/{name}/index.html"
    own = page if album.inputs.path("reports", page).is_file() else ""
    return Audit(name, own, values, tuple(texts(values.get("verdict"))), grids, figures, dict(AUDIT_FIGURES))


def grid(key: str, value: Any) -> Grid | None:
    """A table from a number, {name: number} or {name: {statistic: number}}; None where there is no number."""
    caption = AUDIT_WORDS.get(key, key.replace("_", " "))
    if (single := number(value)) is not None:
        return Grid(caption, ("value",), ((key, (short(single),)),))
    if not isinstance(value, Mapping):
        return None
    rows = {str(name): _numbers(entry) for name, entry in value.items()}
    columns = tuple(dict.fromkeys(c for cells in rows.values() for c in cells))
    if not columns:
        return None
    body = tuple((name, tuple(cells.get(c, "") for c in columns)) for name, cells in rows.items() if cells)
    return Grid(caption, columns, body)


def _numbers(entry: Any, prefix: str = "") -> dict[str, str]:
    if (single := number(entry)) is not None:
        return {prefix or "value": short(single)}
    if not isinstance(entry, Mapping):
        return {}
    value, low, high = (number(entry.get(name)) for name in ("value", "low", "high"))
    if value is not None and low is not None and high is not None:
        return {prefix or "value": f"{short(value)} ({short(low)} to {short(high)})"}
    return {k: v for name, part in entry.items() for k, v in _numbers(part, f"{prefix} {name}".strip()).items()}


@dataclass(frozen=True, slots=True)
class CorpusCard:
    """One corpus: its header (corpus.json), what curation kept of it, its contact sheet."""

    name: str
    use: str
    header: Mapping[str, Any]
    curated: Mapping[str, Any] = field(default_factory=dict)
    contact: Picture | None = None
    digest: str = ""
    """SHA-256 of shards.parquet, which lists the digest of every shard."""

    @property
    def anchor(self) -> str:
        """Its place on the page."""
        return f"corpus-{self.use}-{self.name}"

    @property
    def versions(self) -> str:
        """Codecs that read and wrote its pictures, and the class of device that computed them where one did."""
        found: dict[str, Any] = {}
        for part in (self.header.get("codecs"), self.header.get("device_class")):
            found |= part if isinstance(part, Mapping) else {}
        return ", ".join(f"{name} {value}" for name, value in found.items()) or "not said"

    @property
    def facts(self) -> list[tuple[str, str]]:
        """(question, answer): what it holds, what curation kept and dropped of it, and what made it."""
        told = [("Samples", f"{self.count('samples')} in {self.count('shards')} shards"), ("Kept", self.kept)]
        if self.use != "synthetic":
            told += [
                ("Splits", self.pairs("splits") or "not said"),
                ("Dropped, by rule", self.pairs("dropped") or "none"),
            ]
            told += [("Cameras", self.pairs("devices") or "not said")]
        return [*told, ("Sizes", self.sizes), ("Made with", self.versions)]

    @property
    def sizes(self) -> str:
        """`320x192 px: 48`, the most frequent first, at most four."""
        counts = self.header.get("counts")
        sizes = counts.get("sizes") if isinstance(counts, Mapping) else None
        if not isinstance(sizes, Mapping) or not sizes:
            return "not said"
        ordered = sorted(sizes.items(), key=lambda entry: (-int(entry[1]), entry[0]))
        more = f" and {len(ordered) - 4} others" if len(ordered) > 4 else ""
        return ", ".join(f"{size} px: {count:,}" for size, count in ordered[:4]) + more

    @property
    def notes(self) -> list[str]:
        """What ingest, synthesis and curation note of it."""
        return [*texts(self.header.get("notes")), *texts(self.curated.get("notes"))]

    def count(self, what: str) -> str:
        """A count of corpus.json such as `samples`, with thousands; "not said" where it is absent."""
        counts = self.header.get("counts")
        value = counts.get(what) if isinstance(counts, Mapping) else self.header.get(what)
        return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else "not said"

    @property
    def megabytes(self) -> str:
        """Size of all shards."""
        counts = self.header.get("counts")
        value = number((counts if isinstance(counts, Mapping) else self.header).get("bytes"))
        return "not said" if value is None else f"{value / 1e6:.1f} MB"

    @property
    def kept(self) -> str:
        """`20 of 24`, or why nothing is said."""
        if self.use == "synthetic":
            return "all"
        total, kept = self.curated.get("total"), self.curated.get("kept")
        return f"{kept} of {total}" if isinstance(kept, int) and isinstance(total, int) else "not curated"

    def pairs(self, key: str) -> str:
        """`train 16, val 4` from a dict of counts in curate's summary; empty where there is none."""
        value = self.curated.get(key)
        if not isinstance(value, Mapping):
            return ""
        shown = ((name, _count(entry)) for name, entry in value.items())
        return ", ".join(f"{name or 'unknown'} {count}" for name, count in shown if count)


def _count(entry: Any) -> str:
    if isinstance(entry, Mapping):
        entry = entry.get("kept", entry.get("total"))
    return str(entry) if isinstance(entry, int) and entry else ""


def corpora(album: Album, params: Params) -> list[CorpusCard]:
    """Every source and synthetic corpus that params name."""
    cards = []
    for name, source in params.sources.items():
        header = album.inputs.json("datasets", f"{source.use}/{name}/corpus.json", f"ingest@{name}")
        curated = album.inputs.json("reports", f"curate/{name}/summary.json", f"curate@{name}")
        contact = album.sheet(
            f"curate/{name}/contact.png", f"Contact sheet of {name}: kept and dropped samples", f"curate@{name}"
        )
        own = album.inputs.digest("datasets", f"{source.use}/{name}/shards.parquet")
        cards.append(CorpusCard(name, source.use, header, curated, contact, own))
    for name in params.synthetic:
        stage = "synthesize" if name in params.synthesize else "blur"
        header = album.inputs.json("datasets", f"synthetic/{name}/corpus.json", f"{stage}@{name}")
        own = album.inputs.digest("datasets", f"synthetic/{name}/shards.parquet")
        cards.append(CorpusCard(name, "synthetic", header, digest=own))
    return cards


def scored_by(inputs: Inputs, restorers: tuple[str, ...]) -> list[tuple[str, str]]:
    """(question, answer): what restored and scored, from `reports/evaluate/NAME/how.json`; equal answers as one."""
    names: dict[str, list[str]] = {}
    for name in restorers:
        how = inputs.json("reports", f"evaluate/{name}/how.json", evaluate_stage(name))
        if how:
            codecs = ", ".join(f"{codec} {value}" for codec, value in _mapping(how.get("codecs")).items())
            by = computed_by(how.get("computed")) if how.get("computed") else "pictures from elsewhere"
            names.setdefault(f"{by}; {codecs}", []).append(name)
    return [(f"Restored and scored: {', '.join(own)}", answer) for answer, own in names.items()]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def provenance(params: Params, cards: list[ModelCard]) -> list[tuple[str, str]]:
    """(question, answer): which blur folder, which perceptual weights, how much synthetic blur, which seeds."""
    said = []
    for name, source in params.sources.items():
        if source.ingest.layout == "gopro":
            how = "frames averaged as stored" if source.ingest.blur == "blur" else "frames averaged in linear light"
            said.append((f"Blur folder of {name}", f"{source.ingest.blur} ({how})"))
        if source.ingest.layout == "gopro-all":
            said.append((f"Blur of {name}", "frames averaged as stored, by GOPRO's rule (as its folder blur)"))
        if source.ingest.layout == "frames":
            said.append(
                (f"Blur of {name}", f"{source.ingest.window} frames averaged, response {source.ingest.response}")
            )
    wanted = {f"bgan/{name}": p.perceptual for name, p in params.bgan.items()}
    wanted |= {f"dbgan/{variant}": params.dbgan.common.perceptual for variant in VARIANTS if variant != "l1"}
    for card in cards:
        if card.name in wanted:
            named = f"{wanted[card.name].weights}, {wanted[card.name].width} channels"
            said.append((f"Perceptual weights of {card.name}", str(card.summary.get("perceptual") or named)))
    for variant, tune in params.dbgan.finetune.items():
        mixed = f"{tune.mix:.0%} of the crops from {', '.join(tune.mixed)}" if tune.mixed else "none"
        said.append((f"Synthetic pairs in {variant}", mixed))
    for name, synth in params.synthetic.items():
        made_by = f"{' and '.join(synth.shares)} {synth.generator}".strip()
        said.append((f"Blur of {name}", f"{made_by}, {synth.variants} per frame, seed {synth.seed}"))
    return said


def params_text(params: Params) -> str:
    """params.yaml as validated, defaults filled in, without what may hold names of people.

    Left out are raw folders, globs, patterns, lists of splits and folders of weights files or results; of pinned
    sequences only the number per split is kept, of known leaks only why they are known.
    """
    values = params.model_dump(mode="json")
    for name, source in values["sources"].items():
        del source["root"]
        source["ingest"] = params.sources[name].ingest.told()
        source["curate"]["pinned"] = dict(sorted(Counter(source["curate"]["pinned"].values()).items()))
    values["leaks"]["known"] = sorted(set(values["leaks"]["known"].values()))
    for own in values["evaluate"]["external"].values():
        own["path"] = PurePath(own["path"]).name
        del own["files"]
    for own in (*values["bgan"].values(), values["dbgan"]["common"]):
        own["perceptual"]["weights"] = PurePath(own["perceptual"]["weights"]).name
    for own in values["audit"].values():
        own["features"]["weights"] = PurePath(own["features"]["weights"]).name
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)

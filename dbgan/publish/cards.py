"""README.md of what is published: the card that people and the Hugging Face hub read first."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from dbgan.corpus import Corpus
from dbgan.corpus.card import front_matter, render
from dbgan.params import RightsParams

SPDX = {
    "apache-2.0", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "mit",
    "bsd-3-clause", "pddl", "odc-by", "odbl",
}  # fmt: skip
"""Licence names that the hub knows; any other is `other` with its words beside it."""


def corpus_card(
    corpus: Corpus, counts: Mapping[str, Any], rights: Mapping[str, RightsParams], pictures: Sequence[str]
) -> str:
    """The corpus's own card, with its shards in `data/`, its rights and pictures."""
    matter = front_matter(corpus.header, counts)
    matter["configs"] = [{"config_name": "default", "data_files": [{"split": "train", "path": "data/*.tar"}]}]
    body = render(corpus.header, counts).split("\n---\n", 1)[1].lstrip("\n")
    title, _, rest = body.partition("\n\n")
    shown = "\n\n".join(f"![{name}](samples/{name})" for name in pictures)
    parts = [_matter(matter | _licence(rights)), title, shown, _rights(rights), rest.rstrip()]
    return "\n\n".join(part for part in parts if part) + "\n"


def model_card(
    name: str,
    architecture: Mapping[str, Any],
    rights: Mapping[str, RightsParams],
    metrics: Path,
    pictures: Sequence[str],
) -> str:
    """A model card: what the network is, what it learnt from, how it scored.

    Args:
        name: `bgan/NAME` or a variant of DBGAN.
        architecture: of the weights file.
        rights: of the sources it learnt from.
        metrics: its metrics.json; may be absent.
        pictures: file names in `samples/`.
    """
    blurs = name.startswith("bgan/")
    what = "A generator of realistic blur (BGAN)" if blurs else "A deblurring network (DBGAN)"
    matter = {
        "library_name": "dbgan",
        "pipeline_tag": "image-to-image",
        "tags": ["deblurring", "bgan" if blurs else "dbgan"],
        **_licence(rights),
    }
    use = (
        "dbgan blur SHARP_CORPUS OUT --model bgan --weights weights.safetensors"
        if blurs
        else "dbgan deblur photos/ --out restored --weights weights.safetensors"
    )
    parts = [
        _matter(matter),
        f"# {name}",
        f'{what}, after "Deblurring by Realistic Blurring" (Zhang et al., CVPR 2020).',
        "\n\n".join(f"![{picture}](samples/{picture})" for picture in pictures),
        f"## Use\n\n```\n{use}\n```",
        "## Architecture\n\n```yaml\n" + yaml.safe_dump(dict(architecture), sort_keys=True) + "```",
        _scores(metrics),
        _rights(rights),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _matter(values: Mapping[str, Any]) -> str:
    return "---\n" + yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True) + "---"


def _licence(rights: Mapping[str, RightsParams]) -> dict[str, str]:
    names = sorted({right.licence.strip() for right in rights.values()})
    if len(names) == 1 and names[0].lower() in SPDX:
        return {"license": names[0].lower()}
    return {"license": "other", "license_name": "; ".join(names)}


def _rights(rights: Mapping[str, RightsParams]) -> str:
    rows = "\n".join(
        f"| {name} | {_cell(right.licence)} | {_cell(right.attribution)} | {_cell(right.consent)} |"
        for name, right in sorted(rights.items())
    )
    return f"## Rights\n\n| source | licence | by | people shown |\n|---|---|---|---|\n{rows}"


def _scores(metrics: Path) -> str:
    if not metrics.is_file():
        return ""
    values = json.loads(metrics.read_bytes())
    rows = [f"| `{key}` | {value:.4f} |" for key, value in sorted(values.items()) if isinstance(value, int | float)]
    head = "## Scores\n\nMeans over the test sources; `input` is the blurry picture itself.\n\n| | |\n|---|---|\n"
    return head + "\n".join(rows) if rows else ""


def _cell(text: str) -> str:
    return text.strip().replace("|", "\\|").replace("\n", " ")

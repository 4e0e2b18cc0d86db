"""What has to be true of a corpus or a model before others get it. Everything that is missing is told at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbgan.corpus.verify import verify
from dbgan.evaluate.audit.gates import failures
from dbgan.params import Params, RightsParams

SHOWN = 3
"""Problems of one kind that are told in full."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        what: in a few words.
        problem: what is wrong and what mends it; empty where nothing is.
    """

    what: str
    problem: str = ""


def of_corpus(name: str, folder: Path, params: Params, reports: Path) -> list[Check]:
    """The checks of a corpus: a source, or a synthetic one."""
    checks = [_whole(folder), *_rights(sources_of_corpus(name, params), params), _leaks(reports)]
    return [*checks, _audit(name, params, reports)] if name in params.synthetic else checks


def of_model(name: str, folder: Path, params: Params) -> list[Check]:
    """The checks of a model; `name` is `bgan/NAME` or a variant of DBGAN."""
    weights = folder / "weights.safetensors"
    there = "" if weights.is_file() else f"{weights}: is missing. Next: dvc repro, or dvc pull {folder}"
    return [Check("weights", there or _readable(weights)), *_rights(sources_of_model(name, params), params)]


def sources_of_corpus(name: str, params: Params) -> list[str]:
    """Names of the sources whose pictures a corpus shows or whose blur it learnt."""
    if name in params.sources:
        return [name]
    synth = params.synthetic[name]
    learnt = sources_of_model(f"bgan/{synth.generator}", params) if synth.generator else []
    return sorted({*synth.sharp, *learnt})


def sources_of_model(name: str, params: Params) -> list[str]:
    """Names of the sources that a model learnt from."""
    if name.startswith("bgan/"):
        bgan = params.bgan[name.removeprefix("bgan/")]
        return sorted({*bgan.sharp, *bgan.synthetic, *bgan.real})
    mixed = [params.dbgan.finetune[name].mixed] if name in params.dbgan.finetune else []
    corpora = [corpus for one in mixed for corpus in one]
    return sorted({*params.dbgan.common.pairs, *(s for corpus in corpora for s in sources_of_corpus(corpus, params))})


def rights_of(names: list[str], params: Params) -> dict[str, RightsParams]:
    """Source -> its rights."""
    return {name: params.sources[name].rights for name in names}


def _whole(folder: Path) -> Check:
    problems = verify(folder)
    told = "; ".join(f"{problem.where}: {problem.what}" for problem in problems[:SHOWN])
    more = f" and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    return Check(
        "the corpus is whole and holds no private metadata",
        f"{folder}: {told}{more}. Next: dbgan corpus verify {folder}" if problems else "",
    )


def _rights(names: list[str], params: Params) -> Iterator[Check]:
    for name, rights in rights_of(names, params).items():
        empty = [field for field in type(rights).model_fields if not getattr(rights, field).strip()]
        lacks = f"params.yaml: sources.{name}.rights lacks {', '.join(empty)}. Next: fill it, or keep these pictures"
        yield Check(f"licence, attribution and consent of {name}", lacks if empty else "")


def _leaks(reports: Path) -> Check:
    passed = reports / "leaks" / "passed.json"
    problem = "" if passed.is_file() else f"{passed}: is missing. Next: dvc repro leaks"
    return Check("no sequence or picture is in two splits", problem)


def _audit(name: str, params: Params, reports: Path) -> Check:
    what, path = "its blur is like the real one, within audit's gates", reports / "audit" / name / "audit.json"
    if name not in params.audit:
        return Check(what, f"params.yaml: audit has no {name!r}. Next: add it, then dvc repro audit@{name}")
    value = _json(path)
    if value is None:
        return Check(what, f"{path}: is missing or no JSON. Next: dvc repro audit@{name}")
    return Check(what, " ".join(failures(value, params.audit[name].gates)))


def _json(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _readable(weights: Path) -> str:
    from dbgan.errors import WeightsError
    from dbgan.networks import load_weights

    try:
        load_weights(weights)
    except WeightsError as error:
        return str(error)
    return ""

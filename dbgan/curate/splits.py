"""Train, val or test, decided for whole sequences: frames of one recording never sit on both sides."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable

from dbgan.corpus.layout import slug
from dbgan.corpus.recordings import recording
from dbgan.errors import ParamsError
from dbgan.params import CurateParams


def fraction_of(sequence: str) -> float:
    """A number in [0, 1) from a sequence's name alone, evenly spread over names."""
    return int.from_bytes(hashlib.sha256(f"split:{sequence}".encode()).digest()[:8], "big") / 2**64


def assign(sequences: Iterable[str], params: CurateParams, use: str, where: str) -> dict[str, str]:
    """Sequence -> "train", "val" or "test".

    A pinned sequence goes where it is pinned. Any other is val when the hash of its recording's name falls below
    `val_fraction`, and test when it is in the topmost `test_fraction`: adding sequences moves none, and neither
    fraction moves what the other holds out. All of a test source is "test". A source's only sequence trains, whatever
    its hash: held out, it would leave nothing to train on.

    Args:
        sequences: names as in the manifest, repeated ones allowed.
        params: `val_fraction`, `test_fraction` and `pinned`, whose keys may be the raw folders' names.
        use: "train" or "test", of the source.
        where: the params' place, for errors.

    Raises:
        ParamsError: a pinned name is no sequence of the source, or a test source pins to another split.
    """
    names = sorted(set(sequences))
    pinned = {slug(name): split for name, split in params.pinned.items()}
    _check_pinned(names, params, use, where)
    if use == "test":
        return dict.fromkeys(names, "test")
    if len(names) == 1:
        return {names[0]: pinned.get(names[0], "train")}
    return {name: pinned.get(name) or _by_hash(recording(name), params) for name in names}


def _by_hash(name: str, params: CurateParams) -> str:
    place = fraction_of(name)
    if place < params.val_fraction:
        return "val"
    return "test" if place >= 1.0 - params.test_fraction else "train"


def notes(splits: dict[str, str], params: CurateParams) -> list[str]:
    """What a reader must know about the splits of a train source, in sentences. `splits` is what `assign` gave."""
    present = set(splits.values())
    if not splits or present == {"test"}:
        return []
    if "train" not in present:
        return [
            f"No sequence is in split train ({len(splits)} in all): nothing of this source can be trained on. "
            "Pin one with `pinned: {SEQUENCE: train}` or lower val_fraction and test_fraction."
        ]
    if "val" in present:
        return []
    if len(splits) == 1:
        (name,) = splits
        later = "train" if name in {slug(pin) for pin in params.pinned} else _by_hash(recording(name), params)
        return [
            "There is one sequence, so there is no val split: nothing of this source is held out of training, "
            "and gauges on it are measured on training samples."
            + (
                ""
                if later == "train"
                else f" It moves to {later} with a second sequence, unless it is pinned to train."
            )
        ]
    return [
        f"There is no val split: none of the {len(splits)} sequences falls below val_fraction {params.val_fraction:g} "
        "by the hash of its name. Pin one with `pinned: {SEQUENCE: val}` if this source needs one."
    ]


def _check_pinned(names: list[str], params: CurateParams, use: str, where: str) -> None:
    for name, split in params.pinned.items():
        if slug(name) not in names:
            near = difflib.get_close_matches(slug(name), names, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            listed = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
            raise ParamsError(
                f"{where}.pinned names {name!r}, which is no sequence of this source.{hint}\n"
                f"Sequences: {listed or '(none)'}."
            )
        if use == "test" and split != "test":
            raise ParamsError(
                f"{where}.pinned puts {name!r} into {split}, but the source has `use: test`: all of it is split test.\n"
                "Next: remove the pin, or ingest the sequence as a source with `use: train`."
            )

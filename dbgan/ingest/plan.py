"""From a scan to shard plans: keys, shard boundaries, recipes. A pure function of names, digests and parameters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from dbgan.corpus.layout import Plan, Reject, make_key, origin_digest, shard_group, shard_name
from dbgan.ingest.build import NAME, REVISION, Item
from dbgan.ingest.clips import Span, decoder
from dbgan.ingest.digests import FileState
from dbgan.ingest.gopro_all import RESPONSE as GOPRO_RESPONSE
from dbgan.ingest.naming import MAX_FRAME, MAX_SEQUENCE, key_parts
from dbgan.ingest.scan import Frame, Scan
from dbgan.ingest.tars import Members
from dbgan.ingest.windows import WINDOWS_REVISION
from dbgan.params import IngestParams
from dbgan.recipe import codec_versions, recipe

SHAPING = ("image", "max_pixels", "min_side", "icc", "quality")
"""Parameters that shape a shard's bytes or rows beyond which inputs are in it; `max_reject_fraction` shapes none."""


def max_bytes(params: IngestParams) -> int | None:
    """Larger files are refused unread: four 16-bit channels of the largest picture, and much for all else.

    None for layouts whose files hold many pictures.
    """
    if params.layout in ("frames", "video", "corpus"):
        return None
    return 8 * params.max_pixels + (64 << 20)


@dataclass(frozen=True, slots=True)
class Planned:
    """Shard plans, sorted by name; inputs refused before they belong to one; digest -> path of every input."""

    plans: list[Plan]
    rejects: list[Reject]
    origins: dict[str, str]


def make_plans(scan: Scan, states: Mapping[str, FileState | OSError], params: IngestParams) -> Planned:
    """Plan the shards of a scanned folder.

    Args:
        scan: what the layout found.
        states: of every file of every frame (`DigestCache.states`).
        params: of the source.
    """
    sequences = key_parts(sorted({frame.sequence for frame in scan.frames}), MAX_SEQUENCE)
    rejects = [
        Reject(origin_digest(r.path), r.reason, r.detail, _sequence(sequences, r.sequence)) for r in scan.rejects
    ]
    by_sequence: dict[str, list[Frame]] = defaultdict(list)
    for frame in scan.frames:
        by_sequence[frame.sequence].append(frame)
    plans: list[Plan] = []
    for name, frames in by_sequence.items():
        items = _items(sequences[name], frames, states, params, rejects)
        plans += _shards(sequences[name], items, params)
    paths = [path for frame in scan.frames for path in frame.names] + [r.path for r in scan.rejects]
    origins = {origin_digest(path): path for path in paths}
    return Planned(sorted(plans, key=lambda plan: plan.shard), rejects, origins)


def _sequence(known: Mapping[str, str], name: str) -> str:
    return known.get(name) or (key_parts([name], MAX_SEQUENCE)[name] if name else "")


def _items(
    sequence: str,
    frames: list[Frame],
    states: Mapping[str, FileState | OSError],
    params: IngestParams,
    rejects: list[Reject],
) -> dict[str, Item]:
    """Frame part -> item, for all frames that can be read and have a key of their own; the others go to `rejects`."""
    parts = key_parts((frame.frame for frame in frames), MAX_FRAME)
    items: dict[str, Item] = {}
    for frame in sorted(frames, key=lambda frame: list(frame.paths.values())):
        part = parts[frame.frame]
        paths = list(frame.paths.items())
        found = {path: states[path] for path in frame.files}
        broken = next((path for path, state in found.items() if isinstance(state, OSError)), None)
        vast = next((s.size for s in found.values() if isinstance(s, FileState) and not s.sha256), None)
        if broken is not None:
            detail = getattr(found[broken], "strerror", None) or "cannot be read"
            rejects.append(Reject(origin_digest(broken), "unreadable", detail, sequence))
        elif vast is not None:
            detail = f"{vast} bytes, more than {params.max_pixels} px can need"
            rejects.append(Reject(origin_digest(paths[0][1]), "too_large", detail, sequence))
        elif part in items:
            detail = f"the key {sequence}/{part} belongs to another file"
            rejects.append(Reject(origin_digest(paths[0][1]), "duplicate_key", detail, sequence))
        else:
            usable = cast("dict[str, FileState]", found)
            window = tuple((path, usable[path]) for path in frame.window)
            own = tuple(usable[path] for _, path in paths)
            items[part] = Item(make_key(sequence, part), tuple(paths), own, frame.device, window, frame.part)
    return items


def _shards(sequence: str, items: dict[str, Item], params: IngestParams) -> list[Plan]:
    shaping = {name: getattr(params, name) for name in SHAPING} | shaping_of_layout(params)
    plans = []
    for index, group in enumerate(shard_group(sorted(items), params.shard_samples)):
        members = tuple(items[part] for part in group)
        inputs: list[Any] = [_input(item) for item in members]
        in_clips = isinstance(members[0].part, Span)
        computed = {**codec_versions(), **(decoder() if in_clips else {})}
        made = recipe(NAME, REVISION, inputs, shaping, computed)
        together = sequence if in_clips else ""  # a clip is read in order: its shards after each other
        plans.append(Plan(shard_name(sequence, index), sequence, made, members, together))
    return plans


def shaping_of_layout(params: IngestParams) -> dict[str, Any]:
    """What shapes the bytes of layouts that make pictures, beyond which inputs are in a shard."""
    if params.layout == "gopro-all":
        return {"windows": WINDOWS_REVISION, "response": GOPRO_RESPONSE}
    if params.layout == "frames":
        return {"windows": WINDOWS_REVISION, "response": params.response}
    return {}


def _input(item: Item) -> list[Any]:
    """What of an item determines bytes: never its time of change."""
    if isinstance(item.part, Members):
        return [item.key, item.device, item.origin, item.part.recipe()]
    digests = [[which, state.sha256] for (which, _), state in zip(item.paths, item.states, strict=True)]
    made: list[Any] = [item.key, item.device, item.origin, digests]
    if item.window:
        made.append(["window", *(state.sha256 for _, state in item.window)])
    if item.part is not None:
        made.append(item.part.recipe())
    return made

"""Limits that were tried on the page -> params.yaml, whose comments and order stay."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML

from dbgan.errors import ParamsError
from dbgan.files import write_bytes
from dbgan.params import Params, validated
from dbgan.review.model import ALL, Band

Limits = Mapping[str, Mapping[str, Band]]


def save_limits(path: Path, source: str, limits: Limits) -> bool:
    """Write bands into `sources.SOURCE.curate` of params.yaml, as DVC edits it: by ruamel, which keeps comments.

    Measures that `limits` does not name, and other keys of a band, stay as they are.

    Args:
        path: params.yaml; it is read again, because it may have changed since the page was opened.
        source: a name under `sources`.
        limits: device (`ALL`: every device) -> measure -> band.

    Returns:
        Whether anything was changed.

    Raises:
        ParamsError: the file has no such source any more, or the result would be no valid params.yaml. The file stays
            as it was.
    """
    text = path.read_text(encoding="utf-8")
    editor = YAML()
    editor.preserve_quotes = True
    editor.width = 4096
    document = editor.load(text)
    curate = (document.get("sources") or {}).get(source, {}).get("curate")
    if curate is None:
        raise ParamsError(f"{path}: expected sources.{source}.curate, found none.\nNext: reload the page.")
    changed = False
    for device, bands in limits.items():
        for measure, band in bands.items():
            changed |= _set_band(curate, device, measure, band)
    if not changed:
        return False
    out = io.StringIO()
    editor.dump(document, out)
    validated(Params, yaml.safe_load(out.getvalue()), str(path))
    return write_bytes(path, out.getvalue().encode())


def _set_band(curate: Any, device: str, measure: str, band: Band) -> bool:
    """One band in the mapping of `curate`. Returns whether that changed it."""
    names = ("limits",) if device == ALL else ("devices", device)
    place = curate
    for name in names:
        place = (place or {}).get(name)
    before = dict((place or {}).get(measure) or {})
    wanted = {"min": band.low, "max": band.high}
    after = {k: v for k, v in {**before, **wanted}.items() if v is not None}
    # A side is a value or a quantile, never both.
    after = {k: v for k, v in after.items() if not (k.endswith("_quantile") and k.removesuffix("_quantile") in after)}
    # For a device an open band says something: it lifts the limit that all others have.
    if before == after and (device == ALL or measure in (place or {})):
        return False
    place = curate
    for name in names:
        place = place.setdefault(name, {}) if place.get(name) is not None else _new(place, name)
    if after or device != ALL:
        place[measure] = after
    else:
        place.pop(measure, None)
    return True


def _new(place: Any, name: str) -> Any:
    place[name] = {}
    return place[name]

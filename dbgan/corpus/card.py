"""README.md of a corpus: a dataset card that people read and that Hugging Face `datasets` loads the folder by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from dbgan.corpus.columns import json_columns
from dbgan.corpus.header import Header
from dbgan.corpus.layout import WARNINGS

_DTYPES = {"text": "string", "int32": "int32", "float": "float64", "flag": "bool"}
# No two alike parts are one object: YAML would write an alias, which Hugging Face reads as nothing the second time.
_ARRAYS = {
    "motion": {
        "name": "motion.npz",
        "struct": [
            {"name": "velocity", "sequence": {"sequence": {"sequence": "float16"}}},
            {"name": "acceleration", "sequence": {"sequence": {"sequence": "float16"}}},
            {"name": "defocus", "sequence": {"sequence": "float16"}},
            {"name": "cell", "dtype": "int32"},
        ],
    }
}
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10**7, "1M<n<10M"))
_KINDS = {
    "paired": "Pairs of a blurry and a sharp picture of the same moment",
    "blurry": "Blurry captures without a sharp counterpart",
    "sharp": "Sharp pictures without a blurry counterpart",
}
_REASONS = {
    "animated": "has more than one frame",
    "duplicate_key": "another file has the same sequence and frame",
    "not_an_image": "is no picture",
    "outside_root": "is a link that leaves the source folder",
    "hostile_member": "a member of a tar that is no plain file inside it",
    "not_a_video": "no video, whatever its name says",
    "scene_cut": "a window of frames across a cut",
    "window_incomplete": "frames of its window are not there",
    "pair_missing": "has no partner",
    "pair_size_mismatch": "its partner has another size",
    "too_large": "promises more pixels than allowed",
    "too_small": "has a side shorter than allowed",
    "truncated": "ends early",
    "unreadable": "cannot be read",
    "unsupported_mode": "is of a kind of pixels that is not supported",
}


def render(header: Header, counts: Mapping[str, Any]) -> str:
    """The card as text. Depends on its arguments alone: no time, host, path or worker count.

    Args:
        header: what holds for the whole corpus.
        counts: the `counts` of corpus.json.
    """
    parts = [
        "---\n" + yaml.safe_dump(front_matter(header, counts), sort_keys=False, allow_unicode=True) + "---",
        f"# {header.name}",
        f"{_KINDS[header.kind]}{', synthesized' if header.synthesized else ''}.",
        _numbers(header, counts),
        _refused(counts),
        _warned(counts),
        _layout(header),
        _colours(header),
        _privacy(header),
        _made_from(header),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def front_matter(header: Header, counts: Mapping[str, Any]) -> dict[str, Any]:
    """Hugging Face's metadata: which files to load, and the exact type of every feature.

    `features` are complete because loaders otherwise infer types from the first samples of the first shard.
    """
    samples = counts["samples"]
    features: list[dict[str, Any]] = [{"name": "__key__", "dtype": "string"}, {"name": "__url__", "dtype": "string"}]
    features += [{"name": f"{field}.{header.ext}", "dtype": "image"} for field in header.fields]
    features += [_ARRAYS[field] for field in header.arrays]
    struct = [_feature(*item) for item in json_columns(header.kind, header.synthesized).items()]
    features.append({"name": "json", "struct": struct})
    return {
        "pretty_name": header.name,
        "task_categories": ["image-to-image"],
        "tags": ["deblurring", "webdataset", header.kind, *(["synthetic"] if header.synthesized else [])],
        "size_categories": [next((name for limit, name in _SIZES if samples < limit), "n>10M")],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "*.tar"}]}],
        "dataset_info": {"features": features},
    }


def _feature(name: str, kind: str) -> dict[str, Any]:
    if kind == "floats":
        return {"name": name, "sequence": "float64"}
    return {"name": name, "dtype": _DTYPES[kind]}


def _numbers(header: Header, counts: Mapping[str, Any]) -> str:
    rows = [
        ("samples", f"{counts['samples']:,}"),
        ("sequences", f"{counts['sequences']:,}"),
        ("shards", f"{counts['shards']:,}"),
        ("bytes in shards", f"{counts['bytes']:,}"),
        ("image fields", ", ".join(f"`{field}.{header.ext}`" for field in header.fields)),
        *(("other fields", f"`{header.suffixes[field]}`") for field in header.arrays),
        ("picture sizes, px", _some(counts["sizes"])),
        ("stored as the source had them", _kept(header, counts)),
        ("devices", _some({device or "unknown": n for device, n in counts["devices"].items()})),
    ]
    return "| | |\n|---|---|\n" + "\n".join(f"| {name} | {_cell(value)} |" for name, value in rows)


def _kept(header: Header, counts: Mapping[str, Any]) -> str:
    numbers = (f"`{field}` {counts['kept'][f'{field}_kept']:,}" for field in header.fields)
    return f"{', '.join(numbers)}; the others were encoded (`kept` in `json`)"


def _some(numbers: Mapping[str, int], most: int = 10) -> str:
    """The most frequent of `numbers`, and how many more there are."""
    ordered = sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{name} ({n:,})" for name, n in ordered[:most])
    return f"{shown} and {len(ordered) - most} more" if len(ordered) > most else shown or "none"


def _refused(counts: Mapping[str, Any]) -> str:
    if not counts["rejects"]:
        return "## Refused inputs\n\nNone."
    lines = [f"| {reason} | {_REASONS[reason]} | {n:,} |" for reason, n in counts["reject_reasons"].items()]
    return (
        f"## Refused inputs\n\n{counts['rejects']:,} inputs were refused; `rejects.parquet` lists each.\n\n"
        "| reason | the file ... | inputs |\n|---|---|---|\n" + "\n".join(lines)
    )


def _warned(counts: Mapping[str, Any]) -> str:
    if not counts["warnings"]:
        return ""
    lines = [f"| {warning} | {WARNINGS[warning]} | {n:,} |" for warning, n in counts["warnings"].items()]
    return (
        "## Pictures with a warning\n\nThey were accepted; the manifest's column `warnings` names them.\n\n"
        "| warning | the picture was or had ... | pictures |\n|---|---|---|\n" + "\n".join(lines)
    )


def _layout(header: Header) -> str:
    members = " ".join(f"`{suffix}`" for suffix in header.suffixes.values() if suffix != "json")
    return (
        "## Files\n\n"
        f"`SHARD.tar`: webdataset shards, each sample {members} `json`. `manifest.parquet`: one row per sample, with "
        "the offset, size and sha256 of every member. `shards.parquet`: size and sha256 of every shard. `corpus.json`: "
        "how it was made. `croissant.json`: all this for mlcroissant. `dbgan corpus verify` checks all of it.\n\n"
        "Load the folder itself (`datasets.load_dataset(FOLDER)`): it reads the types above. A bare "
        '`load_dataset("webdataset", ...)` infers them from the first shard and needs `features=`.'
    )


def _privacy(header: Header) -> str:
    return (
        "## Privacy\n\n"
        "Pictures carry no EXIF, XMP, IPTC, maker notes, embedded thumbnails or text. Of a capture's metadata only "
        "make, model, exposure, ISO, f-number, focal length and local capture time are kept, in the `json` member. "
        "`origin` is a digest of the source file's path. Keys are made of the source's folder and file names. No "
        "location, serial number or owner's name of the metadata is kept. What the pictures show was not changed."
    )


def _colours(header: Header) -> str:
    """What became of colour profiles, where the builder had to decide."""
    said = {
        "keep": "Pixel values are those of the source. Colour profiles (Display P3 of phones) are kept inside "
        "the pictures and were not applied; programs that ignore profiles show such colours duller.",
        "srgb": "All pictures are sRGB: those of another colour profile were converted by littleCMS and encoded anew.",
    }
    icc = header.params.get("icc")
    return f"## Colours\n\n{said[icc]}" if icc in said else ""


def _made_from(header: Header) -> str:
    blocks = ["## How it was made\n\nParameters:", _yaml(header.params)]
    blocks += ["Codecs:", _yaml(header.codecs)]
    if header.device_class is not None:
        blocks += ["Device class (equal classes compute equal bytes):", _yaml(header.device_class)]
    if not header.quality:
        blocks.append("Quality measures were switched off; their manifest columns are null.")
    if header.notes:
        blocks.append("## Notes\n\n" + "\n".join(f"- {note}" for note in header.notes))
    return "\n\n".join(blocks)


def _yaml(values: Mapping[str, Any]) -> str:
    return "```yaml\n" + yaml.safe_dump(dict(values), sort_keys=True, allow_unicode=True) + "```"


def _cell(text: str) -> str:
    """A device name may hold what ends a table cell or starts markup."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")

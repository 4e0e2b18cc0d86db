"""croissant.json of a corpus: ML Commons' Croissant 1.0, by which mlcroissant reads the tables and the pictures.

Record sets: `samples` (the manifest's description of each sample), and one per image field with the sample's key and
its picture out of the tars. mlcroissant joins at most two sources, so that pictures are not columns of `samples`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dbgan import files
from dbgan.corpus.columns import json_columns
from dbgan.corpus.header import Header
from dbgan.corpus.layout import ARRAYS

CROISSANT = "croissant.json"

# The context of the specification, section "Croissant context"; mlcroissant warns where one key is missing.
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_TYPES = {"text": "sc:Text", "int32": "sc:Integer", "int64": "sc:Integer", "float": "sc:Float", "flag": "sc:Boolean"}
_TYPES |= {"floats": "sc:Float"}
_FORMATS = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
_PARQUET = "application/x-parquet"


def write(corpus: Path, header: Header) -> bool:
    """Write croissant.json beside the finished tables of `corpus`; returns whether it had to change."""
    return files.write_bytes(corpus / CROISSANT, described(corpus, header))


def described(corpus: Path, header: Header) -> bytes:
    """The bytes of croissant.json; they depend on the tables on disk and the header alone."""
    from dbgan.corpus.tables import MANIFEST, REJECTS, SHARDS, read_parquet

    shards = read_parquet(corpus / SHARDS, ["name", "sha256", "bytes", "samples"]).to_pylist()
    digests = {name: files.sha256_file(corpus / name) for name in (MANIFEST, SHARDS, REJECTS)}
    text = json.dumps(describe(header, shards, digests), indent=2, sort_keys=True, ensure_ascii=False)
    return f"{text}\n".encode()


def describe(header: Header, shards: Sequence[Mapping[str, Any]], tables: Mapping[str, str]) -> dict[str, Any]:
    """The description as a JSON object.

    Args:
        header: what holds for the whole corpus.
        shards: `name`, `sha256`, `bytes` and `samples` of every shard, sorted by name.
        tables: file name -> hex sha256 of the Parquet tables.
    """
    tars = [shard for shard in shards if shard["samples"]]
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": header.name,
        "description": f"A deblurring corpus of {header.kind} samples. README.md describes it.",
        "isLiveDataset": False,
        "distribution": [
            *(_file(name, name, _PARQUET, sha256=digest) for name, digest in sorted(tables.items())),
            *(_tar(shard) for shard in tars),
            *(
                _pictures(field, header.ext, [f"{shard['name']}.tar" for shard in tars])
                for field in header.fields
                if tars
            ),
            *(_arrays(field, [f"{shard['name']}.tar" for shard in tars]) for field in header.arrays if tars),
        ],
        "recordSet": [_samples(header), *(_picture_records(field) for field in header.fields if tars)],
    }


def _file(identifier: str, url: str, encoding: str, **more: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": identifier,
        "name": identifier,
        "contentUrl": url,
        "encodingFormat": encoding,
        **more,
    }


def _tar(shard: Mapping[str, Any]) -> dict[str, Any]:
    name = f"{shard['name']}.tar"
    return _file(name, name, "application/x-tar", sha256=shard["sha256"], contentSize=f"{shard['bytes']} B")


def _pictures(field: str, ext: str, tars: Sequence[str]) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": f"{field}-pictures",
        "name": f"{field}-pictures",
        "containedIn": [{"@id": tar} for tar in tars],
        "encodingFormat": _FORMATS[ext],
        "includes": f"*.{field}.{ext}",
    }


def _arrays(field: str, tars: Sequence[str]) -> dict[str, Any]:
    """Files that are no pictures: named, but mlcroissant has no type to read them by."""
    return {
        "@type": "cr:FileSet",
        "@id": f"{field}-arrays",
        "name": f"{field}-arrays",
        "containedIn": [{"@id": tar} for tar in tars],
        "encodingFormat": "application/x-npz",
        "includes": f"*.{field}.{ARRAYS[field]}",
    }


def _samples(header: Header) -> dict[str, Any]:
    """One record per row of the manifest: key, shard and what the json member says."""
    columns = {"key": "text", "shard": "text", **json_columns(header.kind, header.synthesized)}
    return {
        "@type": "cr:RecordSet",
        "@id": "samples",
        "name": "samples",
        "key": {"@id": "samples/key"},
        "field": [_column(name, kind) for name, kind in columns.items()],
    }


def _column(name: str, kind: str) -> dict[str, Any]:
    field = _field("samples", name, _TYPES[kind], {"fileObject": {"@id": "manifest.parquet"}}, {"column": name})
    return {**field, "repeated": True} if kind == "floats" else field


def _picture_records(field: str) -> dict[str, Any]:
    """One record per picture: the key that its member's name holds, and the picture."""
    source = {"fileSet": {"@id": f"{field}-pictures"}}
    key = _field(field, "key", "sc:Text", source, {"fileProperty": "fullpath"})
    key["source"]["transform"] = {"regex": r"^([^.]*)\."}
    picture = _field(field, "picture", "sc:ImageObject", source, {"fileProperty": "content"})
    return {"@type": "cr:RecordSet", "@id": field, "name": field, "field": [key, picture]}


def _field(records: str, name: str, kind: str, source: dict[str, Any], extract: dict[str, Any]) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{records}/{name}",
        "name": f"{records}/{name}",
        "dataType": kind,
        "source": {**source, "extract": extract},
    }

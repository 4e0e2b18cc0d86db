"""What determines bytes: the digest of inputs, parameters, builder REVISION, codecs and device class.

Never the time, host, worker count or git commit. See "recipe" and "device class" in docs/corpus-format.md.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FORMAT_VERSION = 2
"""Version of the corpus format; part of every recipe, so that a new format rebuilds every shard."""


def canonical(value: Any) -> bytes:
    """JSON bytes with sorted keys and no spaces; floats keep repr precision, NaN is refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(value: Any) -> str:
    """Hex sha256 of `canonical(value)`."""
    return hashlib.sha256(canonical(value)).hexdigest()


def version(distribution: str) -> str:
    """Installed version, or "absent". Reads metadata only: asking for torch's version must not import torch."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


@functools.cache
def codec_versions() -> dict[str, str]:
    """Versions of the libraries whose decoders and encoders shape our bytes."""
    opencv = next((v for d in ("opencv-python-headless", "opencv-python") if (v := version(d)) != "absent"), "absent")
    return {"opencv": opencv, "pillow": version("pillow"), "pillow-heif": version("pillow-heif")}


@functools.cache
def cpu_class() -> str:
    """The CPU instruction set that numerics may depend on: `amx`, `avx512`, `avx2` or the machine's architecture."""
    flags: set[str] = set()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith(("flags", "Features")):
                flags = set(line.split(":", 1)[1].split())
                break
    for name, needed in (("amx", {"amx_bf16", "amx_tile"}), ("avx512", {"avx512f", "avx512bw"}), ("avx2", {"avx2"})):
        if needed <= flags:
            return name
    return platform.machine()


def has_bf16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware (AMX or AVX512-BF16), told by flags and never by timing."""
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.is_file() and any(flag in cpuinfo.read_text() for flag in ("amx_bf16", "avx512_bf16"))


def device_class(device: str = "cpu", threads: int = 1) -> dict[str, Any]:
    """The device class of DESIGN: equal classes compute equal bytes.

    Args:
        device: "cpu" or a torch CUDA device name.
        threads: intra-op threads, part of the class on the CPU because sums are split by thread.
    """
    if device.startswith("cuda"):
        import torch

        cudnn: Any = torch.backends.cudnn
        major, minor = torch.cuda.get_device_capability(device)
        return {
            "device": "cuda",
            "capability": f"{major}.{minor}",
            "cudnn": str(cudnn.version()),
            "torch": version("torch"),
        }
    return {"device": "cpu", "isa": cpu_class(), "threads": int(threads), "torch": version("torch")}


@functools.cache
def code_digest(*modules: str) -> str:
    """Digest of the source files of the named modules or packages (all `.py` files below a package).

    Noted in receipts beside the recipe, never in it: where only this differs, one shard is rebuilt as a canary.
    """
    digests: dict[str, str] = {}
    for module in modules:
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"code_digest: no source for module {module!r}")
        origin = Path(spec.origin)
        files = sorted(origin.parent.rglob("*.py")) if spec.submodule_search_locations else [origin]
        for file in files:
            digests[f"{module}:{file.relative_to(origin.parent)}"] = hashlib.sha256(file.read_bytes()).hexdigest()
    return digest(digests)


def recipe(builder: str, revision: int, inputs: Any, params: Mapping[str, Any], computed: Mapping[str, Any]) -> str:
    """The digest of all that determines a shard's bytes.

    Args:
        builder: name of the builder, such as "ingest" or "synthesize".
        revision: the builder's REVISION integer; raised by hand when its bytes change.
        inputs: JSON-able digests of everything read.
        params: JSON-able parameters that shape the bytes.
        computed: codec versions and device class where bytes are computed or encoded, else empty.
    """
    return digest(
        {
            "format": FORMAT_VERSION,
            "builder": builder,
            "revision": revision,
            "inputs": inputs,
            "params": dict(params),
            "computed": dict(computed),
        }
    )

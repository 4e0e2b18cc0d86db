"""`python -m benchmarks [NAME...]`: run the named benchmarks, or all of them. `make bench` calls it."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import benchmarks
from dbgan.recipe import codec_versions, cpu_class, version


def main(names: list[str]) -> int:
    """Run benchmarks by module name; returns the exit code (2: no such benchmark)."""
    known = sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.name.startswith("_"))
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}. There are: {', '.join(known)}", file=sys.stderr)
        return 2
    versions = codec_versions() | {"torch": version("torch")}
    print(f"CPU class {cpu_class()}; " + ", ".join(f"{name} {found}" for name, found in versions.items()))
    for name in names or known:
        print()
        importlib.import_module(f"benchmarks.{name}").run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

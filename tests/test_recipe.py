"""A recipe is the digest of all that determines bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from dbgan import recipe


def test_canonical_json_is_independent_of_key_order() -> None:
    assert recipe.canonical({"b": 1, "a": [1.5, "ü"]}) == '{"a":[1.5,"ü"],"b":1}'.encode()
    assert recipe.digest({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest()


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        recipe.canonical(float("nan"))


@pytest.mark.parametrize("change", ["builder", "revision", "inputs", "params", "computed"])
def test_every_part_changes_the_recipe(change: str) -> None:
    parts = {"builder": "ingest", "revision": 1, "inputs": ["a"], "params": {"image": "png"}, "computed": {}}
    other = parts | {
        change: {"builder": "x", "revision": 2, "inputs": ["b"], "params": {}, "computed": {"cv": "5"}}[change]
    }
    assert recipe.recipe(**parts) != recipe.recipe(**other)  # type: ignore[arg-type]
    assert recipe.recipe(**parts) == recipe.recipe(**dict(parts))  # type: ignore[arg-type]


def test_code_digest_follows_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "toypkg"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "verb.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = recipe.code_digest("toypkg")
    (package / "verb.py").write_text("x = 2\n")
    recipe.code_digest.cache_clear()
    assert recipe.code_digest("toypkg") != before


@pytest.mark.parametrize(
    ("flags", "known_as", "bf16"),
    [
        ("fpu avx2 fma", "avx2", False),
        ("fpu avx2 avx512f avx512bw", "avx512", False),
        ("fpu avx2 avx512f avx512bw avx512_bf16", "avx512", True),
        ("fpu avx2 avx512f avx512bw amx_tile amx_bf16", "amx", True),
    ],
)
def test_a_cpu_is_known_by_its_flags(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, known_as: str, bf16: bool
) -> None:
    (tmp_path / "cpuinfo").write_text(f"model name\t: made up\nflags\t\t: {flags}\n")
    monkeypatch.setattr(recipe, "Path", lambda _: tmp_path / "cpuinfo")
    assert (recipe.cpu_class.__wrapped__(), recipe.has_bf16()) == (known_as, bf16)


def test_cpu_class_is_one_of_the_known_or_the_architecture() -> None:
    import platform

    assert recipe.cpu_class() in {"amx", "avx512", "avx2", platform.machine()}
    assert recipe.device_class("cpu", 3)["threads"] == 3

"""Checkpoints are whole or not used."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dbgan.train import checkpoints


def state(number: float) -> dict[str, object]:
    return {"weights": {"a": torch.full((3,), number)}, "rows": [{"step": 1, "loss": number, "phase": "content"}]}


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    checkpoints.save(tmp_path, 7, state(0.5))
    loaded = checkpoints.load_latest(tmp_path)
    assert loaded is not None
    step, found = loaded
    assert step == 7
    assert torch.equal(found["weights"]["a"], torch.full((3,), 0.5))
    assert found["rows"] == [{"step": 1, "loss": 0.5, "phase": "content"}]


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    for step in (2, 4, 100, 6000):
        checkpoints.save(tmp_path, step, state(step))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000100.pt", "step-00006000.pt"]


@pytest.mark.parametrize("damage", ["flipped bit", "cut short", "empty"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before_with_a_warning(tmp_path: Path, damage: str) -> None:
    checkpoints.save(tmp_path, 10, state(1.0))
    newest = checkpoints.save(tmp_path, 20, state(2.0))
    data = bytearray(newest.read_bytes())
    if damage == "flipped bit":
        data[len(data) // 2] ^= 1
    newest.write_bytes({"flipped bit": bytes(data), "cut short": bytes(data[:-50]), "empty": b""}[damage])
    with pytest.warns(checkpoints.DamagedCheckpointWarning, match=r"step-00000020\.pt"):
        loaded = checkpoints.load_latest(tmp_path)
    assert loaded is not None
    assert loaded[0] == 10
    assert torch.equal(loaded[1]["weights"]["a"], torch.full((3,), 1.0))


def test_nothing_to_load_is_none(tmp_path: Path) -> None:
    assert checkpoints.load_latest(tmp_path / "absent") is None


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "ran",))  # type: ignore[return-value]

    path = checkpoints.save(tmp_path, 1, {"evil": Evil()})
    with pytest.raises(Exception, match=r"[Ww]eights only"):
        checkpoints.load(path)
    assert not (tmp_path / "ran").exists()

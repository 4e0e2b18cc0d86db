"""What GOPRO_Large officially holds: pairs of every sequence of both splits. A part of it is fine, and is said."""

from __future__ import annotations

from collections.abc import Mapping

TRAIN: Mapping[str, int] = {
    "GOPR0372_07_00": 100,
    "GOPR0372_07_01": 75,
    "GOPR0374_11_00": 150,
    "GOPR0374_11_01": 80,
    "GOPR0374_11_02": 100,
    "GOPR0374_11_03": 48,
    "GOPR0378_13_00": 110,
    "GOPR0379_11_00": 100,
    "GOPR0380_11_00": 60,
    "GOPR0384_11_01": 100,
    "GOPR0384_11_02": 100,
    "GOPR0384_11_03": 100,
    "GOPR0384_11_04": 100,
    "GOPR0385_11_00": 100,
    "GOPR0386_11_00": 100,
    "GOPR0477_11_00": 80,
    "GOPR0857_11_00": 100,
    "GOPR0868_11_01": 100,
    "GOPR0868_11_02": 100,
    "GOPR0871_11_01": 100,
    "GOPR0881_11_00": 100,
    "GOPR0884_11_00": 100,
}
TEST: Mapping[str, int] = {
    "GOPR0384_11_00": 100,
    "GOPR0384_11_05": 100,
    "GOPR0385_11_01": 100,
    "GOPR0396_11_00": 100,
    "GOPR0410_11_00": 134,
    "GOPR0854_11_00": 100,
    "GOPR0862_11_00": 77,
    "GOPR0868_11_00": 100,
    "GOPR0869_11_00": 100,
    "GOPR0871_11_00": 100,
    "GOPR0881_11_01": 100,
}
SPLITS: Mapping[str, Mapping[str, int]] = {"training": TRAIN, "test": TEST}

_MOST_NAMED = 12


def official_notes(pairs: Mapping[str, int]) -> tuple[str, ...]:
    """Sentences on how the pairs found stand to the official splits.

    Args:
        pairs: sequence -> pairs that were found.

    Returns:
        One per official split of which there is something, one for sequences that are in none.
    """
    said = [note for split, expected in SPLITS.items() if (note := _split_note(split, expected, pairs))]
    foreign = sorted(pairs.keys() - TRAIN.keys() - TEST.keys())
    if foreign and said:
        said.append(f"{len(foreign)} sequences are not of GOPRO_Large: {_listed(foreign)}.")
    return tuple(said)


def _split_note(split: str, expected: Mapping[str, int], pairs: Mapping[str, int]) -> str:
    there = {name: pairs[name] for name in expected if pairs.get(name)}
    if not there:
        return ""
    total, all_pairs = sum(there.values()), sum(expected.values())
    if there == dict(expected):
        return f"This is the whole official {split} split of GOPRO_Large: {len(expected)} sequences, {all_pairs} pairs."
    said = (
        f"This is a part of the official {split} split of GOPRO_Large: {len(there)} of its {len(expected)} sequences, "
        f"{total} of its {all_pairs} pairs."
    )
    short = [f"{name} has {found} of {expected[name]}" for name, found in there.items() if found < expected[name]]
    over = [f"{name} {found}, officially {expected[name]}" for name, found in there.items() if found > expected[name]]
    absent = [name for name in expected if name not in there]
    if short:
        said += f" Not whole: {_listed(short)}."
    if absent:
        said += f" Not there: {_listed(absent)}."
    if over:
        said += f" More pairs than officially, so not the published set: {_listed(over)}."
    return said


def _listed(names: list[str]) -> str:
    rest = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")

"""Damage as data: a list of edits that Hypothesis draws and shrinks, and that a seeded generator draws for longer."""

from __future__ import annotations

from collections.abc import Sequence

INTERESTING = (0x00, 0x01, 0x7F, 0x80, 0xD9, 0xFE, 0xFF)
Edit = tuple[str, float, int]
"""What is done (one of `KINDS`), where (share of the file, 0 to 1), and with what (0 to 255)."""
KINDS = ("set", "flip", "cut", "drop", "double", "insert", "zero")


def mutated(data: bytes, edits: Sequence[Edit]) -> bytes:
    """`data` with the edits applied in turn."""
    hurt = bytearray(data)
    for kind, share, value in edits:
        at = min(len(hurt), int(share * len(hurt)))
        if kind == "set":
            hurt[at : at + 1] = bytes([INTERESTING[value % len(INTERESTING)]])
        elif kind == "flip":
            hurt[at : at + 1] = bytes([(hurt[at] if at < len(hurt) else 0) ^ (value or 1)])
        elif kind == "cut":
            del hurt[at:]
        elif kind == "drop":
            del hurt[at : at + value]
        elif kind == "double":
            hurt[at:at] = hurt[at : at + value]
        elif kind == "insert":
            hurt[at:at] = bytes([value]) * (1 + value % 32)
        else:
            hurt[at : at + value] = bytes(min(value, len(hurt) - at))
    return bytes(hurt)

"""Find what a stored colour profile (ICC.1:2022) carries beside colours. An allow-list, as in `dbgan.corpus.privacy`.

Independent of `dbgan.image.profile`, which writes these profiles: a fault there must not blind the check.
"""

from __future__ import annotations

_TEXTS = frozenset(
    {
        b"desc" + bytes(4) + b"\x00\x00\x00\x04RGB\x00" + bytes(78),
        b"text" + bytes(4) + b"removed\x00",
        *(
            bytes.fromhex("6d6c756300000000000000010000000c656e5553000000") + bytes((len(text), 0, 0, 0, 28)) + text
            for text in ("RGB".encode("utf-16-be"), "removed".encode("utf-16-be"))
        ),
    }
)
_POINTS = frozenset((b"wtpt", b"rXYZ", b"gXYZ", b"bXYZ"))
_CURVES = frozenset((b"rTRC", b"gTRC", b"bTRC"))
_PARAMETRIC = frozenset((bytes((0, function)), 12 + 4 * count) for function, count in enumerate((1, 3, 4, 5, 7)))
_TABLES = frozenset((b"A2B0", b"A2B1", b"A2B2", b"B2A0", b"B2A1", b"B2A2"))
MAX_TAGS = 100
"""littleCMS reads no more either, and hostile tables would take for ever."""
_SILENT = ((4, 8), (10, 12), (24, 36), (40, 67), (80, 128))
"""Bytes of the header that must be zero: CMM, date, platform, flags, device, attributes, creator, ID, reserved."""


def is_profile(profile: bytes) -> bool:
    """Whether the bytes are one ICC profile from end to end (7.2), and not something in its place."""
    return profile[36:40] == b"acsp" and int.from_bytes(profile[:4], "big") == len(profile)


def beside_colours(profile: bytes) -> list[str]:
    """What a profile carries that no colour needs; empty for those that this package writes.

    >>> beside_colours(bytes(36) + b"acsp" + bytes(90))
    ['a profile without a tag table']
    """
    count = int.from_bytes(profile[128:132], "big")
    start = 132 + 12 * count
    if count > MAX_TAGS or len(profile) < max(start, 132):
        return ["a profile without a tag table"]
    found = [f"header bytes {a} to {b - 1}" for a, b in _SILENT if any(profile[a:b])]
    used = bytearray(len(profile))
    used[:start] = b"\x01" * start
    for entry in range(132, start, 12):
        tag = profile[entry : entry + 4]
        at, size = (int.from_bytes(profile[entry + i : entry + i + 4], "big") for i in (4, 8))
        element = profile[at : at + size]
        if len(element) != size or not _needed(tag, element):
            found.append(f"tag {tag.decode('ascii', 'backslashreplace')} of {size} bytes")
        used[at : at + size] = b"\x01" * len(element)
    surplus = sum(1 for is_used, value in zip(used, profile, strict=True) if value and not is_used)
    return [*found, f"{surplus} bytes outside its tags"] if surplus else found


def _needed(tag: bytes, element: bytes) -> bool:
    """Whether the element is of a tag that colours need, of a type that holds numbers only, and no byte too long."""
    kind, size = element[:4], len(element)
    if tag in (b"desc", b"cprt"):
        return element in _TEXTS
    if any(element[4:8]):
        return False
    if tag in _POINTS:
        return kind == b"XYZ " and size == 20
    if tag in _CURVES and kind == b"curv":
        return size == 12 + 2 * int.from_bytes(element[8:12], "big")
    if tag in _CURVES and kind == b"para":
        return (element[8:10], size) in _PARAMETRIC
    if tag in _TABLES:
        return _is_table(kind, element)
    return (tag, kind, size) in ((b"chad", b"sf32", 44), (b"cicp", b"cicp", 12))


def _is_table(kind: bytes, element: bytes) -> bool:
    """Whether a lut8Type or lut16Type (10.10, 10.11) ends with its last number."""
    if kind not in (b"mft1", b"mft2") or len(element) < 52 or max(element[8:10]) > 4 or element[11]:
        return False
    width = 1 if kind == b"mft1" else 2
    before, after = (256, 256) if width == 1 else (int.from_bytes(element[i : i + 2], "big") for i in (48, 50))
    points: int = element[10] ** element[8]
    numbers = element[8] * before + points * element[9] + element[9] * after
    return len(element) == (48 if width == 1 else 52) + width * numbers

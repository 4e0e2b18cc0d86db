"""Reduce a colour profile (ICC.1:2022) to what colours need: profiles also hold names, dates and free text.

An allow-list, tag by tag and byte by byte. The same input always gives the same bytes, and reducing twice changes
nothing. Sections are those of ICC.1:2022.
"""

from __future__ import annotations

import functools

TAGS = (
    *(b"wtpt", b"chad", b"cicp", b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"),
    *(b"A2B0", b"A2B1", b"A2B2", b"B2A0", b"B2A1", b"B2A2"),
)
"""Tags that are taken over, in the order in which they are written."""
REFUSED = frozenset((b"D2B0", b"D2B1", b"D2B2", b"D2B3", b"B2D0", b"B2D1", b"B2D2", b"B2D3"))
"""Tags of transforms that would win over those of `TAGS` and are not understood here: without them colours change."""

MAX_TAGS = 100
"""littleCMS reads no more either, and hostile tables would take for ever."""

_CLASSES = (b"mntr", b"scnr", b"prtr", b"spac")
_CONNECTIONS = (b"XYZ ", b"Lab ")
_D50 = bytes.fromhex("0000f6d6000100000000d32d")
_PARAMETERS = (1, 3, 4, 5, 7)
"""Numbers of a parametric curve, by its function (10.18)."""
_DESCRIPTION, _COPYRIGHT = "RGB", "removed"


@functools.lru_cache(maxsize=8)
def reduced(profile: bytes) -> bytes:
    """The profile with a neutral header, the tags of `TAGS`, a neutral description and no other byte.

    Args:
        profile: an ICC profile, of any origin.

    Returns:
        An RGB profile that converts as the given one does; empty where there is no such: the profile is damaged, of
        another kind than RGB, or has a transform that is not understood here (multi-process elements, `mAB `).
    """
    head, found = profile[:128], _elements(profile)
    if head[12:16] not in _CLASSES or head[16:20] != b"RGB " or head[20:24] not in _CONNECTIONS:
        return b""
    if head[36:40] != b"acsp" or head[8] not in (2, 4) or found is None or REFUSED & found.keys():
        return b""
    elements = {b"desc": _text(_DESCRIPTION, head[8], b"desc"), b"cprt": _text(_COPYRIGHT, head[8], b"text")}
    for tag in TAGS:
        if tag in found:
            elements[tag] = _exact(tag, found[tag])
    return b"" if b"" in elements.values() else _profile(head, elements)


def _elements(profile: bytes) -> dict[bytes, bytes] | None:
    """Tag -> its bytes; None where the tag table (7.3) is too long or does not fit into the profile."""
    count = int.from_bytes(profile[128:132], "big")
    if count > MAX_TAGS or 132 + 12 * count > len(profile):
        return None
    found: dict[bytes, bytes] = {}
    for entry in range(132, 132 + 12 * count, 12):
        start, size = (int.from_bytes(profile[entry + i : entry + i + 4], "big") for i in (4, 8))
        if start + size > len(profile):
            return None
        found.setdefault(profile[entry : entry + 4], profile[start : start + size])
    return found


def _exact(tag: bytes, element: bytes) -> bytes:
    """The element without reserved and surplus bytes; empty where its type is not one of the tag's, or it is cut."""
    kind = element[:4]
    size = _size(kind, element) if kind in _types(tag) else 0
    if not size or len(element) < size:
        return b""
    exact = bytearray(element[:size])
    exact[4:8] = bytes(4)
    if kind == b"para":
        exact[10:12] = bytes(2)
    if kind in (b"mft1", b"mft2"):
        exact[11] = 0
    return bytes(exact)


def _types(tag: bytes) -> tuple[bytes, ...]:
    if tag[1:] == b"TRC":
        return (b"curv", b"para")
    if tag[:3] in (b"A2B", b"B2A"):
        return (b"mft1", b"mft2")
    return ({b"chad": b"sf32", b"cicp": b"cicp"}.get(tag, b"XYZ "),)


def _size(kind: bytes, element: bytes) -> int:
    """How long an element of this type is by its own numbers, bytes; 0 where these make no sense (10.5 to 10.31)."""
    if kind == b"curv":
        return 12 + 2 * int.from_bytes(element[8:12], "big")
    if kind == b"para":
        function = int.from_bytes(element[8:10], "big")
        return 12 + 4 * _PARAMETERS[function] if function < len(_PARAMETERS) else 0
    if kind in (b"mft1", b"mft2"):
        if len(element) < 52 or element[8] > 4 or element[9] > 4:
            return 0
        inputs, outputs = element[8], element[9]
        corners: int = element[10] ** inputs
        if kind == b"mft1":
            return 48 + 256 * inputs + corners * outputs + 256 * outputs
        before, after = int.from_bytes(element[48:50], "big"), int.from_bytes(element[50:52], "big")
        return 52 + 2 * (before * inputs + corners * outputs + after * outputs)
    return {b"XYZ ": 20, b"sf32": 44, b"cicp": 12}[kind]


def _text(text: str, major: int, kind: bytes) -> bytes:
    """A text as version 2 (ICC.1:2001, 6.5.17 and 6.5.18) and version 4 (10.15) write it."""
    if major == 4:
        words = text.encode("utf-16-be")
        numbers = (number.to_bytes(4, "big") for number in (0, 1, 12))
        return b"mluc" + b"".join(numbers) + b"enUS" + len(words).to_bytes(4, "big") + (28).to_bytes(4, "big") + words
    plain = text.encode("ascii") + b"\x00"
    return kind + bytes(4) + (plain if kind == b"text" else len(plain).to_bytes(4, "big") + plain + bytes(78))


def _profile(head: bytes, elements: dict[bytes, bytes]) -> bytes:
    """Header, tag table, elements; equal ones (curves of the three channels) once."""
    position, table, body = 132 + 12 * len(elements), b"", b""
    places: dict[bytes, int] = {}
    for tag, element in elements.items():
        if element not in places:
            places[element] = position + len(body)
            body += element + bytes(-len(element) % 4)
        table += tag + places[element].to_bytes(4, "big") + len(element).to_bytes(4, "big")
    # 7.2: neither CMM, date, platform, flags, device, creator nor ID; intent 0 to 3.
    intent = bytes(3) + bytes((head[67] & 3,))
    version = head[8:10] + bytes(2)
    rest = version + head[12:24] + bytes(12) + b"acsp" + bytes(24) + intent + _D50 + bytes(48)
    size = (position + len(body)).to_bytes(4, "big")
    return size + bytes(4) + rest + len(elements).to_bytes(4, "big") + table + body

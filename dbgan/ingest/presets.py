"""Names of the public paired sets, as regular expressions on paths below the root. docs/data/ has a page for each.

The root may be the set's own folder, a split of it, or a folder above.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ANY = r"(?:.*?/)??"


@dataclass(frozen=True, slots=True)
class Preset:
    """How a set names its files.

    Attributes:
        title: of the set.
        blur, sharp: patterns of whole paths. `frame` and what `sequence` names pair a blurry file with a sharp one.
        sequence: groups whose texts, joined by `-`, name the sequence. It does not depend on where the root lies.
        expected: the layout in words.
        notes: sentences for the card.
    """

    title: str
    blur: re.Pattern[str]
    sharp: re.Pattern[str]
    expected: str
    sequence: tuple[str, ...] = ("sequence",)
    notes: tuple[str, ...] = ()


def _realblur(which: str, other: str, expected: str, *notes: str) -> Preset:
    # scene244 is called scene244_reflect in RealBlur-R's folder and scene244 everywhere else.
    scene = rf"(?!(?:.*/)?RealBlur-{other}){_ANY}(?P<sequence>scene\d+)(?:_reflect)?"
    return Preset(
        f"RealBlur-{which}",
        re.compile(scene + r"/blur/blur_(?P<frame>\d+)\.\w+"),
        re.compile(scene + r"/gt/gt_(?P<frame>\d+)\.\w+"),
        expected,
        notes=(
            f"RealBlur-{which}: its authors aligned the pairs (ECC, intensity matched); what is left of misalignment "
            "costs decibels, and scores of the set align before they measure.",
            *notes,
        ),
    )


# 109fromGOPR1096.MP4.png: the number of the frame, and the recording, by which validation can be held out.
_HIDE = r"(?P<frame>(?:\d+from(?P<sequence>[A-Za-z]+\d+))?[^/.]*)(?:\.[^/]*)?\.\w+"
_REDS = r"(?P<set>train|val|test)_{side}/(?P<sequence>\d+)/(?P<frame>\d+)\.\w+"
_BSD = r"(?:BSD_(?P<set>\w+)/)?(?:(?P<split>train|valid|val|test)/)?(?P<sequence>\d+)/{side}/RGB/(?P<frame>\d+)\.\w+"

PRESETS: dict[str, Preset] = {
    "realblur-j": _realblur("J", "R", "RealBlur-J_ECC_IMCORR_centroid_itensity_ref/sceneNNN/{blur/blur_K,gt/gt_K}.png"),
    "realblur-r": _realblur(
        "R",
        "J",
        "RealBlur-R_BM3D_ECC_IMCORR_centroid_itensity_ref/sceneNNN/{blur/blur_K,gt/gt_K}.png",
        "The folder scene244_reflect is the sequence scene244, as everywhere else.",
    ),
    "hide": Preset(
        "HIDE",
        re.compile(_ANY + r"(?P<split>train|test)/(?:test-close-ups/|test-long-shot/)?" + _HIDE),
        re.compile(_ANY + r"GT/" + _HIDE),
        "HIDE_dataset/{train/NAME,test/test-close-ups/NAME,test/test-long-shot/NAME,GT/NAME}.png",
        notes=("HIDE's blur is an average of 11 frames of 240 fps video, as GOPRO's, and not that of a camera.",),
    ),
    "rsblur": Preset(
        "RSBlur",
        re.compile(_ANY + r"(?P<sequence>[^/]+)/(?P<frame>[^/]+)/real_blur/real_blur\.\w+"),
        re.compile(_ANY + r"(?P<sequence>[^/]+)/(?P<frame>[^/]+)/gt/gt_sharp\.\w+"),
        "RSBlur/DAY/ID/{real_blur/real_blur,gt/gt_sharp}.png",
        notes=("The blurry pictures are the real ones (real_blur), not the averages (avg65_img).",),
    ),
    "reds": Preset(
        "REDS",
        re.compile(_ANY + _REDS.format(side="blur")),
        re.compile(_ANY + _REDS.format(side="sharp")),
        "{train,val}/{train,val}_{sharp,blur}/NNN/NNNNNNNN.png",
        sequence=("set", "sequence"),
        notes=("The blurry frames are those of `blur`, not of `blur_comp` (which are compressed as video, too).",),
    ),
    "bsd": Preset(
        "BSD",
        re.compile(_ANY + _BSD.format(side="Blur")),
        re.compile(_ANY + _BSD.format(side="Sharp")),
        "BSD_*/{train,test}/NNN/{Blur,Sharp}/RGB/NNNNNNNN.png",
        sequence=("set", "split", "sequence"),
    ),
}


def split_of(groups: dict[str, str | None]) -> str:
    """The split that a path is in by its folders; empty where they say none."""
    named = groups.get("split") or groups.get("set") or ""
    return {"valid": "val"}.get(named, named) if named in ("train", "val", "valid", "test") else ""

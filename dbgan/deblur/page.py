"""Before and after on one page, with a slider over each picture. The page is one file and needs no network."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dbgan.image.codec import encode

Pixels = NDArray[np.uint8]

LONG_SIDE = 1600
"""Pictures are shown reduced to this long side, px."""

MOST = 60
"""Pictures on a page: at about 0.5 MB each, more would be slow to open."""

QUALITY = 88


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture on the page: its name and both versions as JPEG, of one size."""

    name: str
    before: bytes
    after: bytes
    width: int
    height: int


def shown(name: str, before: Pixels, after: Pixels) -> Shown:
    """Both HWC uint8 RGB pictures reduced and encoded."""
    height, width = before.shape[:2]
    scale = min(1.0, LONG_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = [
        np.asarray(cv2.resize(p, size, interpolation=cv2.INTER_AREA), dtype=np.uint8) if scale < 1 else p
        for p in (before, after)
    ]
    return Shown(name, encode(small[0], "jpg", quality=QUALITY), encode(small[1], "jpg", quality=QUALITY), *size)


def page(pictures: Sequence[Shown], left_out: int, weights: str) -> bytes:
    """The whole page, UTF-8. `left_out`: further pictures that were restored and are not shown."""
    count = len(pictures)
    told = f"{count} picture{'' if count == 1 else 's'}, restored with {html.escape(weights)}."
    if left_out:
        told += f" {left_out} more were restored and are not shown here."
    figures = "\n".join(_figure(picture, index) for index, picture in enumerate(pictures))
    return _PAGE.replace("@TOLD@", told).replace("@FIGURES@", figures).encode("utf-8", "backslashreplace")


def _figure(picture: Shown, index: int) -> str:
    name = html.escape(picture.name.encode("utf-8", "backslashreplace").decode(), quote=True)
    before, after = (
        f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}" for data in (picture.before, picture.after)
    )
    size = f'width="{picture.width}" height="{picture.height}"'
    return f"""<figure>
<div class="pair" style="--w: {picture.width}; --h: {picture.height}">
<img src="{before}" {size} alt="{name}, before">
<img class="after" src="{after}" {size} alt="{name}, after">
<span class="tag left">before</span><span class="tag right">after</span><span class="line"></span>
<input type="range" min="0" max="100" value="50" step="0.5" aria-label="{name}: how much is shown before restoring">
</div>
<figcaption>{name}</figcaption>
</figure>"""


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>Before and after</title>
<style>
:root { color-scheme: light dark; --back: #fff; --text: #1b1b1b; --soft: #666; }
@media (prefers-color-scheme: dark) { :root { --back: #141414; --text: #eee; --soft: #aaa; } }
body { margin: 0 auto; padding: 1rem; max-width: 1632px; background: var(--back); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0; }
p { margin: 0 0 1.5rem; color: var(--soft); }
figure { margin: 0 0 2.5rem; }
figcaption { margin-top: .4rem; overflow-wrap: anywhere; }
.pair { --at: 50%; position: relative; margin: 0 auto; overflow: hidden; border-radius: 4px;
  width: min(100%, calc(var(--w) * 1px), calc(92vh * var(--w) / var(--h))); aspect-ratio: var(--w) / var(--h); }
.pair img { position: absolute; inset: 0; width: 100%; height: 100%; display: block; }
.pair .after { clip-path: inset(0 0 0 var(--at)); }
.line { position: absolute; top: 0; bottom: 0; left: var(--at); width: 2px; margin-left: -1px; background: #fff;
  box-shadow: 0 0 3px #000; pointer-events: none; }
.tag { position: absolute; top: .5rem; padding: 0 .5rem; border-radius: 3px; background: #000a; color: #fff;
  font-size: .85rem; pointer-events: none; }
.left { left: .5rem; } .right { right: .5rem; }
.pair input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: ew-resize;
  touch-action: pan-y; }
.pair:focus-within { outline: 3px solid #3584e4; outline-offset: 2px; }
@media print { .pair { break-inside: avoid; } .pair input { display: none; } }
</style>
</head>
<body>
<h1>Before and after</h1>
<p>@TOLD@ Move the line with the pointer, or with the arrow keys after Tab.</p>
@FIGURES@
<script>
for (const pair of document.querySelectorAll(".pair")) {
  const slider = pair.querySelector("input");
  const show = () => pair.style.setProperty("--at", slider.value + "%");
  slider.addEventListener("input", show);
  pair.addEventListener("pointermove", event => {
    if (event.buttons !== 1) return;
    const box = pair.getBoundingClientRect();
    slider.value = 100 * Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    show();
  });
  show();
}
</script>
</body>
</html>
"""

"""How samples look on the page: a card in the grid, words about its state, the page's style."""

from __future__ import annotations

import html

import numpy as np

from dbgan.review.model import Table


def caption(table: Table, row: int, hand: str, beyond: bool) -> tuple[str, str]:
    """What becomes of a sample: a mark (a CSS class) and words. A person's decision goes over every rule.

    Args:
        table: the samples.
        row: which of them.
        hand: `keep`, `drop`, or empty.
        beyond: whether the limits that are tried drop it.
    """
    rule = str(table.rules[row])
    if hand:
        return hand, {"keep": "kept by hand", "drop": "dropped by hand"}[hand]
    if beyond:
        return "beyond", "beyond a limit"
    # The limits of the last curation may not be those of now.
    if rule and rule != "limits":
        return "ruled", f"dropped: {rule}"
    return "", ""


def card_html(table: Table, row: int, hand: str, beyond: bool, sort: str) -> tuple[str, str]:
    """A card's mark and its content: thumbnail, key, the value that the order is by, words about its state."""
    mark, words = caption(table, row, hand, beyond)
    key = html.escape(str(table.keys[row]))
    value = "" if sort == "key" else html.escape(f"{sort} {number(float(table.measures[sort][row]))}")
    told = f'<span class="mark {mark}" title="{html.escape(str(table.reasons[row]))}">{html.escape(words)}</span>'
    return mark, (
        f'<img src="thumbnail/{row}" alt="{key}" loading="lazy" draggable="false">'
        f'<div class="key" title="{key}">{key}</div>'
        f'<div class="line"><span>{value or html.escape(str(table.devices[row]))}</span>{told if words else ""}</div>'
    )


def facts(table: Table, row: int) -> str:
    """Device and every measure of a sample, in one line."""
    known = [(name, float(values[row])) for name, values in table.measures.items()]
    reason = [str(table.reasons[row])] if table.reasons[row] else []
    return " · ".join([str(table.devices[row]), *(f"{n} {number(v)}" for n, v in known if not np.isnan(v)), *reason])


def number(value: float) -> str:
    """Four significant digits; a dash for a missing value."""
    return "-" if np.isnan(value) else f"{value:.4g}"


STYLE = """
:root { --line: #d5dae1; --card: #fff; --ink: #1b232d; --soft: #5a6675; --back: #f3f5f8;
  --drop: #c62f2f; --keep: #1d7f45; --beyond: #a85b00; --bar: #7d93ad; --cursor: #1769d2; }
body.body--dark { --line: #343c47; --card: #1d232b; --ink: #e8edf3; --soft: #a4b0be; --back: #12161b;
  --drop: #ff7b72; --keep: #56c983; --beyond: #f0a63c; --bar: #6c85a3; --cursor: #62a6ff; }
body { background: var(--back); color: var(--ink); }
.nicegui-content { padding: 12px; }
.q-header.bar, .q-footer.bar { background: var(--card) !important; color: var(--ink);
  display: flex; flex-wrap: wrap; align-items: center; gap: 6px 10px; padding: 6px 12px; }
.q-header.bar { border-bottom: 1px solid var(--line); }
.q-footer.bar { border-top: 1px solid var(--line); }
.q-drawer { background: var(--card) !important; color: var(--ink); }
.name { font-weight: 700; font-size: 1.05rem; }
.choice { width: 180px; }
.counts, .keys, .said, .about, .full-facts { color: var(--soft); font-size: .82rem; }
.total { font-weight: 600; }
.grid { display: grid; width: 100%; gap: 10px; grid-template-columns: repeat(auto-fill, minmax(170px, 1fr)); }
.card { background: var(--card); border: 2px solid var(--line); border-radius: 8px; padding: 6px; cursor: pointer;
  min-width: 0; scroll-margin: 70px 0 60px; }
.card img { width: 100%; aspect-ratio: 4 / 3; object-fit: contain; background: var(--back); border-radius: 4px; }
.card.drop { border-color: var(--drop); } .card.drop img { opacity: .35; }
.card.keep { border-color: var(--keep); }
.card.beyond { border-color: var(--beyond); border-style: dashed; } .card.beyond img { opacity: .55; }
.card.ruled img { opacity: .45; }
.card.cursor { outline: 3px solid var(--cursor); outline-offset: 1px; }
.key { font-size: .78rem; font-weight: 600; margin-top: 4px; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; direction: rtl; text-align: left; }
.line { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 6px; font-size: .75rem;
  color: var(--soft); min-height: 1.1rem; }
.mark.drop { color: var(--drop); } .mark.keep { color: var(--keep); } .mark.beyond { color: var(--beyond); }
.limits-head { position: sticky; top: 0; z-index: 1; width: 100%; padding: 6px 0 8px; background: var(--card); }
.measure { width: 100%; border-top: 1px solid var(--line); padding-top: 6px; }
.measure-name { font-weight: 600; font-size: .85rem; }
.histogram { width: 100%; height: 48px; display: block; }
.histogram .kept { fill: var(--bar); } .histogram .dropped { fill: var(--beyond); }
.measure .q-range { margin: -4px 0 0; }
.nothing { padding: 40px; color: var(--soft); }
.full { background: var(--back); color: var(--ink); display: flex; flex-direction: column; width: 100%; height: 100%; }
.full-bar { display: flex; align-items: center; gap: 12px; padding: 6px 12px; background: var(--card); }
.full-title { flex: 1; min-width: 0; overflow-wrap: anywhere; }
.full-picture { flex: 1; min-height: 0; overflow: auto; display: flex; }
.full-picture img { margin: auto; }
.full-picture img.fitted { max-width: 100%; max-height: 100%; object-fit: contain; }
.full-picture img.actual { max-width: none; image-rendering: pixelated; }
.full-note { padding: 6px 12px 2px; background: var(--card); }
.note-field { width: 100%; padding: 5px 9px; color: var(--ink); background: var(--back); border: 1px solid var(--line);
  border-radius: 6px; font: inherit; font-size: .88rem; }
.note-field:focus { outline: 2px solid var(--cursor); outline-offset: 0; }
.note-field::placeholder { color: var(--soft); }
.full-facts { padding: 4px 12px; background: var(--card); max-height: 5rem; overflow: auto; }
@media (max-width: 700px) { .choice { width: calc(50% - 6px); } .keys { display: none; }
  .grid { grid-template-columns: repeat(auto-fill, minmax(130px, 1fr)); } }
"""

"""The note under a picture in the full view: a plain field that the server fills once per picture and then only reads.

A field whose value the server sets loses what is typed while its answer is on the way, and keys pressed before the view
is there would be taken for keys of the page. So W is handled in the browser: it takes all that is typed from then on,
opens the view if need be, and puts the text into the field as soon as that exists.
"""

from __future__ import annotations

import html

OPEN = "review-note"
"""Event of the browser: the full view is wanted for a note."""

SCRIPT = (
    """<script>(() => {
  let typed = null;
  const field = () => [...document.querySelectorAll('.note-field')].find((f) => f.offsetParent);
  const hand_over = (tries) => {
    const found = field();
    if (found) {
      found.focus();
      found.value += typed;
      found.setSelectionRange(found.value.length, found.value.length);
      typed = null;
    }
    else if (tries) setTimeout(hand_over, 20, tries - 1);
    else typed = null;
  };
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const stop = () => { event.preventDefault(); event.stopImmediatePropagation(); };
    if (typed !== null) {
      if (event.key === 'Backspace') typed = typed.slice(0, -1);
      else if (event.key.length === 1) typed += event.key;
      stop();
    } else if (event.target.matches?.('input, textarea')) {
      if (event.target.matches('.note-field') && ['Enter', 'Escape'].includes(event.key)) {
        event.target.blur();
        stop();
      }
    } else if (event.key.toLowerCase() === 'w') {
      stop();
      typed = '';
      if (!field()) emitEvent('"""
    + OPEN
    + """');
      hand_over(150);
    }
  }, true);
})();</script>"""
)
"""For the page's body. Text waits at most three seconds for a field: without pictures there is none."""

SEND = "(event) => emit(Number(event.target.dataset.row), event.target.value)"
"""What the browser sends when the field loses the focus: the row it is about, so that a late event meets no other."""


def field_html(row: int, text: str) -> str:
    """The field of one picture."""
    return (
        f'<input class="note-field" data-row="{row}" value="{html.escape(text)}" maxlength="500" autocomplete="off" '
        'aria-label="note" placeholder="W: a note for others, kept with the decision">'
    )

"""The review page: a grid of thumbnails, filters, histograms with sliders, a full-size view, keys."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
from nicegui import background_tasks, events, ui

from dbgan.errors import DbganError
from dbgan.review.cards import STYLE, caption, card_html, facts
from dbgan.review.histogram import histogram_svg
from dbgan.review.limits import save_limits
from dbgan.review.model import ALL, STEPS, Axis
from dbgan.review.notes import OPEN, SCRIPT, SEND, field_html
from dbgan.review.source import Reviewed

PAGE = 48
"""Cards of one page: divides by 2, 3, 4, 6 and 8 columns."""
COLUMNS = "getComputedStyle(document.querySelector('.grid')).gridTemplateColumns.split(' ').length"
TO_CURSOR = "document.querySelector('.card.cursor')?.scrollIntoView({block: 'nearest'})"
LEAVE = "() => setTimeout(() => document.activeElement.blur(), 20)"
"""A choice that was made gives the keys back to the grid."""
KEYS = (
    "arrows: move · D: drop · K: keep · U: undo · F: full size · Z: 1:1 · S: sharp/blurry · W: note · "
    "N, P: next, previous page"
)

FULL_KEYS = "D: drop · K: keep · U: undo · arrows: next, previous · Z: 1:1 · W: note · F: back"


class Page:
    """One open page. Decisions, limits and the view are the server's, so that a reload changes nothing."""

    def __init__(self, reviewed: Reviewed) -> None:
        self.reviewed, self.state = reviewed, reviewed.state
        self.rows = self.state.shown()
        self.row_of = {key: row for row, key in enumerate(self.state.table.keys.tolist())}
        self.cards: list[ui.html] = []
        self.field = reviewed.field
        self.actual_size = False
        self.noted: tuple[int, str] | None = None
        """Row and note that the field was last filled with or has sent."""

    # Building

    def build(self) -> None:
        """Make the page's elements and fill them."""
        ui.add_css(STYLE)
        ui.add_body_html(SCRIPT)
        ui.on(OPEN, lambda _: self.show_full(self.state.view.cursor))
        ui.keyboard(on_key=self.on_key, ignore=["input", "textarea"])
        with ui.left_drawer(value=None, elevated=False).props("width=330 breakpoint=1000 bordered") as self.drawer:
            self.build_limits()
        with ui.header(elevated=False).classes("bar"):
            self.build_bar()
        self.grid = ui.element("div").classes("grid")
        with self.grid:
            for place in range(PAGE):
                card = ui.html("", sanitize=False).classes("card")
                card.on("click", lambda _, place=place: self.go(self.first + place))
                card.on("dblclick", lambda _, place=place: self.show_full(self.first + place))
                self.cards.append(card)
        self.nothing = ui.label("No picture passes these filters.").classes("nothing")
        with ui.footer(elevated=False).classes("bar foot"):
            self.pages = ui.pagination(1, 1, direction_links=True, on_change=self.on_page).props("max-pages=7 dense")
            ui.label(KEYS).classes("keys")
        self.build_full()
        self.refresh()

    def build_bar(self) -> None:
        """Filters, order, counts."""
        table, view = self.state.table, self.state.view
        ui.button(icon="tune", on_click=self.drawer.toggle).props("flat dense aria-label='limits'")
        ui.label(self.reviewed.name).classes("name")
        self.filter("device", table.devices.tolist(), "all devices")
        self.filter("sequence", table.sequences.tolist(), "all sequences")
        self.reason = ui.select(self.reasons(), value=view.reason, label="reason", on_change=self.on_look("reason"))
        self.reason.props("dense options-dense outlined").classes("choice")
        orders = {"key": "key", **{name: name for name in table.measures}}
        order = ui.select(orders, value=view.sort, label="order", on_change=self.on_look("sort"))
        order.props("dense options-dense outlined").classes("choice")
        order.on("popup-hide", js_handler=LEAVE)
        self.reason.on("popup-hide", js_handler=LEAVE)
        down = ui.switch("descending", value=view.descending, on_change=self.on_look("descending"))
        down.props("dense")
        ui.space()
        self.counts = ui.label().classes("counts")
        ui.button("undo", icon="undo", on_click=self.undo).props("flat dense no-caps")

    def reasons(self) -> dict[str, str]:
        """What the page can be filtered by, with counts."""
        return {ALL: "any", **{name: f"{name} ({n})" for name, n in self.state.reasons().items()}}

    def filter(self, name: str, values: Sequence[str], everything: str) -> None:
        """A choice among the values of a column, with how many samples have each."""
        counts = {value: values.count(value) for value in sorted(set(values))}
        if len(counts) < 2:
            return
        options = {ALL: f"{everything} ({len(values)})"} | {value: f"{value} ({n})" for value, n in counts.items()}
        choice = ui.select(options, value=getattr(self.state.view, name), label=name, on_change=self.on_look(name))
        choice.props("dense options-dense outlined").classes("choice").on("popup-hide", js_handler=LEAVE)

    def build_limits(self) -> None:
        """For every measure a histogram, a slider with two ends, and what they drop."""
        self.about = ui.label().classes("about")
        with ui.element("div").classes("limits-head"):
            self.total = ui.label().classes("total")
            self.save = ui.button("Save limits to params.yaml", icon="save", on_click=self.on_save)
            self.save.props("dense no-caps unelevated").classes("w-full save")
        self.axes = {name: Axis.of(self.state.table.measures[name]) for name in self.state.worth_a_limit()}
        self.pictures: dict[str, ui.html] = {}
        self.ranges: dict[str, ui.range] = {}
        self.said: dict[str, ui.label] = {}
        for name in self.axes:
            with ui.element("section").classes("measure").props(f'data-measure="{name}"'):
                ui.label(name).classes("measure-name")
                self.pictures[name] = ui.html("", sanitize=False)
                self.ranges[name] = ui.range(min=0, max=STEPS, step=1, value=self.steps(name)).props("dense")
                self.ranges[name].on_value_change(lambda event, name=name: self.on_limit(name, event))
                self.said[name] = ui.label().classes("said")

    def build_full(self) -> None:
        """The full-size view: the stored picture itself, not a thumbnail."""
        with ui.dialog().props("maximized transition-duration=80") as self.full, ui.element("div").classes("full"):
            with ui.element("div").classes("full-bar"):
                self.title = ui.html("", sanitize=False).classes("full-title")
                ui.label(FULL_KEYS).classes("keys")
                ui.button(icon="close", on_click=self.full.close).props("flat dense aria-label='close'")
            self.picture = ui.html("", sanitize=False).classes("full-picture")
            self.note = ui.html("", sanitize=False).classes("full-note")
            self.note.on("focusout", self.on_note, js_handler=SEND)
            self.measured = ui.label().classes("full-facts")

    # Drawing

    @property
    def first(self) -> int:
        """Place of the page's first card in the shown order."""
        return self.state.view.cursor // PAGE * PAGE

    @property
    def row(self) -> int | None:
        """The table's row under the cursor."""
        return int(self.rows[self.state.view.cursor]) if len(self.rows) else None

    def refresh(self) -> None:
        """Everything, after decisions, filters or limits changed."""
        self.rows = self.state.shown()
        self.state.move(self.state.view.cursor, len(self.rows))
        counts = self.state.counts()
        self.counts.set_text(f"{len(self.rows)} shown · {counts['drop']} dropped · {counts['keep']} kept by hand")
        if self.reason.options != self.reasons():
            self.reason.set_options(self.reasons())
        self.draw_limits()
        self.draw_grid()

    def draw_grid(self) -> None:
        """The cards of the cursor's page; a card whose content stays is not sent again."""
        beyond, hand, view = self.state.dropped_by_limits(), self.state.by_hand(), self.state.view
        for place, card in enumerate(self.cards, self.first):
            card.set_visibility(place < len(self.rows))
            if place >= len(self.rows):
                card.set_content("")
                continue
            row = int(self.rows[place])
            mark, content = card_html(self.state.table, row, str(hand[row]), bool(beyond[row]), view.sort)
            card.set_content(content)
            card.classes(replace=f"card {mark}" + (" cursor" if place == view.cursor else ""))
        self.nothing.set_visibility(len(self.rows) == 0)
        self.pages.max = max(1, -(-len(self.rows) // PAGE))
        self.pages.set_value(self.first // PAGE + 1)
        if self.full.value:
            self.draw_full()

    def draw_limits(self) -> None:
        """All histograms, of the device and sequence that are looked at."""
        whose = self.state.view.device
        self.about.set_text(f"Limits of {whose or 'every device'}. They are tried here, and saved with the button.")
        for name in self.axes:
            # the device may have another band than the one that was shown
            if self.ranges[name].value != self.steps(name):
                self.ranges[name].set_value(self.steps(name))
            self.draw_limit(name)
        self.draw_total()

    def draw_limit(self, name: str) -> None:
        """One histogram and what its limits drop."""
        scope, dropped = self.state.in_scope(), self.state.dropped_by(name)
        values, axis = self.state.table.measures[name], self.axes[name]
        kept = axis.counts(values[scope & ~dropped])
        self.pictures[name].set_content(histogram_svg(kept, axis.counts(values[scope & dropped])))
        band = self.state.band(name, self.state.view.device)
        low, high = (axis.value(0) if band.low is None else band.low), (band.high or axis.value(STEPS))
        self.said[name].set_text(f"{low:.4g} to {high:.4g}: drops {int((scope & dropped).sum())}")

    def draw_total(self) -> None:
        """What all limits together drop, and whether there is something to save."""
        scope, dropped = self.state.in_scope(), self.state.dropped_by_limits()
        self.total.set_text(f"All limits drop {int((scope & dropped).sum())} of {int(scope.sum())} samples.")
        self.save.set_enabled(bool(self.state.moved_limits()))

    def draw_full(self) -> None:
        """The picture under the cursor, as it is stored."""
        row = self.row
        if row is None:
            self.full.close()
            return
        beyond, hand = bool(self.state.dropped_by_limits()[row]), str(self.state.by_hand()[row])
        mark, words = caption(self.state.table, row, hand, beyond)
        key = str(self.state.table.keys[row])
        self.title.set_content(f'<b>{html.escape(key)}</b> <span class="mark {mark}">{html.escape(words)}</span>')
        size = "actual" if self.actual_size else "fitted"
        self.picture.set_content(f'<img class="{size}" src="picture/{row}/{self.field}" alt="{html.escape(key)}">')
        self.measured.set_text(f"{self.field} · {facts(self.state.table, row)}")
        # What the field holds already is not sent again: it would overwrite what is being typed.
        if self.noted != (row, note := self.state.note_of(key)):
            self.noted = row, note
            self.note.set_content(field_html(row, note))

    # What people do

    def on_key(self, event: events.KeyEventArguments) -> None:
        """Keys of the whole page; text fields keep theirs."""
        if not event.action.keydown or event.modifiers.ctrl or event.modifiers.alt or event.modifiers.meta:
            return
        key, cursor = event.key, self.state.view.cursor
        name = str(key.name).lower()
        moves = {"arrowleft": -1, "arrowright": 1, "n": PAGE, "p": -PAGE, "pagedown": PAGE, "pageup": -PAGE}
        if name in moves:
            self.go(cursor + moves[name])
        elif name in ("arrowup", "arrowdown"):
            background_tasks.create(self.go_line(-1 if name == "arrowup" else 1), name="line of the grid")
        elif name in ("d", "k"):
            self.decide("drop" if name == "d" else "keep")
        elif name == "u":
            self.undo()
        elif name == "f":
            self.full.close() if self.full.value else self.show_full(cursor)
        elif name == "z":
            self.actual_size = not self.actual_size
            self.draw_grid()
        elif name == "s":
            self.other_field()

    async def go_line(self, by: int) -> None:
        """One line of the grid up or down; in the full view one picture. Only the browser knows how wide a line is."""
        columns = 1
        if not self.full.value:
            with self.grid:
                columns = int(await ui.run_javascript(COLUMNS))
        self.go(self.state.view.cursor + by * columns)

    def go(self, cursor: int) -> None:
        """Move the cursor."""
        self.state.move(cursor, len(self.rows))
        self.draw_grid()
        self.to_cursor()

    def to_cursor(self) -> None:
        """Scroll the card under the cursor into sight."""
        with self.grid:
            ui.run_javascript(TO_CURSOR)

    def show_full(self, cursor: int) -> None:
        """Open the full-size view."""
        self.state.move(cursor, len(self.rows))
        self.full.open()
        self.draw_grid()

    def other_field(self) -> None:
        """Of pairs, the other picture in the full view."""
        fields = self.reviewed.corpus.fields
        self.field = fields[(fields.index(self.field) + 1) % len(fields)]
        self.draw_grid()

    def decide(self, decision: str) -> None:
        """Keep or drop the picture under the cursor and go to the next."""
        row = self.row
        if row is None or not self.tried(self.state.decide, [str(self.state.table.keys[row])], decision):
            return
        still = row in self.state.shown()
        self.state.move(self.state.view.cursor + int(still), len(self.rows))
        self.refresh()
        self.to_cursor()

    def on_note(self, event: events.GenericEventArguments) -> None:
        """The field lost the focus: keep what it holds."""
        row, text = int(event.args[0]), str(event.args[1]).strip()
        key = str(self.state.table.keys[row])
        if text == self.state.note_of(key):
            return
        if self.noted and self.noted[0] == row:
            self.noted = row, text
        if self.tried(self.state.note, key, text):
            self.refresh()
            if key in self.state.pending and text:
                ui.notify("The note is kept with the decision: K or D.", type="info")

    def undo(self) -> None:
        """Take the last decision back and go to its picture."""
        undone: list[str] = []
        if not self.tried(lambda: undone.extend(self.state.undo())):
            return
        self.refresh()
        row = self.row_of.get(undone[0]) if undone else None
        if row is not None and row in self.rows:
            self.go(int(np.flatnonzero(self.rows == row)[0]))

    def tried(self, action: Any, *arguments: Any) -> bool:
        """Whether an action succeeded; if not, its words are shown."""
        try:
            action(*arguments)
        except DbganError as error:
            ui.notify(str(error), type="negative", multi_line=True, timeout=0, close_button="close")
            return False
        return True

    def on_look(self, name: str) -> Any:
        """A handler that changes one part of the view."""

        def changed(event: events.ValueChangeEventArguments[Any]) -> None:
            if getattr(self.state.view, name) == event.value or event.value is None:
                return
            self.state.look(**{name: event.value})
            self.refresh()

        return changed

    def on_page(self, event: events.ValueChangeEventArguments[Any]) -> None:
        """Another page was chosen below the grid."""
        if event.value and event.value != self.first // PAGE + 1:
            self.go((event.value - 1) * PAGE)

    def steps(self, name: str) -> dict[str, float]:
        """Where the slider's ends stand for the band of the device looked at."""
        band, axis = self.state.band(name, self.state.view.device), self.axes[name]
        low = 0 if band.low is None else axis.step(band.low)
        return {"min": low, "max": STEPS if band.high is None else axis.step(band.high)}

    def on_limit(self, name: str, event: events.ValueChangeEventArguments[Any]) -> None:
        """A slider was moved: show at once what it drops."""
        if event.value == self.steps(name):
            return
        band = self.axes[name].band(int(event.value["min"]), int(event.value["max"]))
        self.state.set_band(name, band)
        self.draw_limit(name)
        self.draw_total()
        self.draw_grid()

    def on_save(self) -> None:
        """Write the moved limits into params.yaml."""
        if not self.tried(save_limits, self.reviewed.params_file, self.reviewed.name, self.state.moved_limits()):
            return
        self.state.limits_are_saved()
        self.refresh()
        ui.notify(f"Saved. dvc repro curate@{self.reviewed.name} applies them.", type="positive")

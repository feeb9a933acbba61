"""Drafts of parameters: filled in here, held to the venue's rules at once, saved and exported as files. Nothing is
applied: `bulkhead l1 propose` makes verifiers of such a file, which wait behind L1's timelock.
"""

from __future__ import annotations

import asyncio
import re
import shlex
from pathlib import Path

from nicegui import ui

from bulkhead.client import ClientError
from bulkhead.client.draft import Draft, DraftError, Parameter, config_of, digest_of, parameters
from bulkhead.ledger.config import VenueConfig
from bulkhead.terminal import numbers, parts, words
from bulkhead.terminal.grid import Cell, Column, Grid, Line
from bulkhead.terminal.shell import Page

FOLDER = "drafts"  # beside the keys
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,60}")
PARAMETERS = (Column("Parameter"), Column("Is", True), Column("Would be", True), Column("Unit"), Column(""))


class Drafting:
    """One tab's draft."""

    def __init__(self, page: Page) -> None:
        self._page, self._session = page, page.session
        self._folder = page.session.settings.keys.parent / FOLDER
        self._config: VenueConfig | None = None
        self._draft: Draft | None = None
        with parts.panel("Draft of other parameters", mark="draft"), ui.element("div").classes("bh-entry bh-drafting"):
            note = (
                "Nothing here is applied. The council announces verifiers of such a file to L1, where they wait behind "
                "the timelock. No proof leads from an exchange's state to another configuration: its batches end then."
            )
            parts.Text(note, "p", "bh-note bh-muted")
            self.group = parts.Field("Of", kind="choice", on_change=self._grouped)
            self.path = parts.Field("Parameter", kind="choice", on_change=self._chosen)
            self.value = parts.Field("New value", kind="number", on_enter=self._change)
            self.change = parts.button("Put into the draft", self._change, mark="draft-change").classes("bh-beside")
            self.verdict = parts.Text("Reading the configuration…", "p", "bh-note bh-muted")
            self.verdict.props('role="status" data-mark="draft-verdict"')
            self.grid = Grid(
                "The draft", PARAMETERS, rows=self._lines, empty="The draft changes nothing yet.", on_act=self._drop
            )
            self.name = parts.Field("Name", value="draft")
            self.note = parts.Field("Why", placeholder="a line for whoever reviews it")
            with ui.element("div").classes("bh-buttons"):
                self.save = parts.button("Save", self._save, style="primary", mark="draft-save")
                parts.button("Export JSON", self._export, mark="draft-export")
                self.saved = parts.Field("Saved drafts", kind="choice", options=[("", "–")])
                parts.button("Open", self._open, mark="draft-open")
        self._list()
        ui.timer(0.0, self._read, once=True)

    # -- what there is ---------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        try:
            self._config = config_of(await self._session.exchange.books.genesis())
        except (ClientError, DraftError) as error:
            self._say(str(words.of_error(error)), "bh-danger")
            return
        self._draft = Draft.of(self._config)
        places = list(dict.fromkeys(path.rsplit(".", 1)[0] for path in parameters(self._config)))
        self.group.choose_from([(place, place.replace(".", " ")) for place in places])
        self.group.value = places[0]
        self._grouped()
        self._say(f"Configuration {short(digest_of(self._config))} of {self._config.chain_id}.", "bh-muted")

    def _known(self) -> dict[str, Parameter]:
        return {} if self._config is None else parameters(self._config)

    def _grouped(self) -> None:
        here = [one for one in self._known().values() if one.path.rsplit(".", 1)[0] == self.group.value]
        options = [(one.path, f"{one.path.rsplit('.', 1)[1].replace('_', ' ')} ({one.unit})") for one in here]
        self.path.choose_from(options)
        if here and self.path.value not in [one.path for one in here]:
            self.path.value = here[0].path
        self._chosen()

    def _chosen(self) -> None:
        one = self._known().get(self.path.value)
        if one is not None:
            self.value.hint(f"Now {shown(one)}: {one.words}")

    # -- changing --------------------------------------------------------------------------------------------------

    def _change(self) -> None:
        if self._config is None or self._draft is None:
            return
        before = dict(self._draft.changes)
        try:
            self._draft.change(self._config, self.path.value, self.value.value)
            after = self._draft.applied(self._config)
        except DraftError as error:
            self._draft.changes = before
            self.value.problem(str(error))
            self._say(f"Refused. {error}", "bh-danger")
            return
        self.value.problem("")
        self._judged(after)

    def _judged(self, after: VenueConfig) -> None:
        assert self._draft is not None, "it was read"
        made, kept = short(digest_of(after)), short(self._draft.base)
        self._say(f"The rules allow it. Its configuration is {made}; the venue keeps {kept}.", "bh-up")

    async def _drop(self, path: str, _: str) -> None:
        if self._draft is not None and self._config is not None:
            self._draft.changes.pop(path, None)
            self._judged(self._draft.applied(self._config))

    def _lines(self) -> list[Line]:
        if self._draft is None or self._config is None:
            return []
        return [
            Line(
                one.path,
                (
                    Cell(one.path.replace(".", " ").replace("_", " ")), Cell(plain(one)),
                    Cell(f"{value:,f}", mark="would-be"), Cell(one.unit),
                    Cell("Drop", action="drop", title=f"Take {one.path} out of the draft"),
                ),
            )  # fmt: skip
            for one, value in self._draft.difference(self._config)
        ]

    # -- files -----------------------------------------------------------------------------------------------------

    def _text(self) -> str | None:
        if self._draft is None or self._config is None:
            return None
        self._draft.note = self.note.value
        try:
            return self._draft.to_json(self._config)
        except DraftError as error:
            self._say(str(error), "bh-danger")
            return None

    def _path(self) -> Path | None:
        name = self.name.value.strip()
        if NAME.fullmatch(name) is None:
            self.name.problem("Letters, digits, spaces, dots, dashes: 61 at most.")
            return None
        self.name.problem("")
        return self._folder / f"{name}.json"

    async def _save(self) -> None:
        path, text = self._path(), self._text()
        if path is None or text is None:
            return

        def write() -> None:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_text(text, encoding="utf-8")
            part.replace(path)

        try:
            await asyncio.to_thread(write)
        except OSError as error:
            self._say(f"{path} cannot be written: {error.strerror or error}", "bh-danger")
            return
        self._list()
        self._say(f"Saved as {path}. {announced_by(path)}", "bh-up")

    def _export(self) -> None:
        path, text = self._path(), self._text()
        if path is not None and text is not None:
            ui.download.content(text, path.name, "application/json")

    def _list(self) -> None:
        names = sorted(path.stem for path in self._folder.glob("*.json")) if self._folder.is_dir() else []
        self.saved.choose_from([("", "–"), *((name, name) for name in names)])

    async def _open(self) -> None:
        if not self.saved.value or self._config is None:
            return
        path = self._folder / f"{self.saved.value}.json"
        try:
            draft = Draft.from_json(await asyncio.to_thread(path.read_text, "utf-8"))
            after = draft.applied(self._config)
        except (OSError, UnicodeDecodeError, DraftError) as error:
            self._say(f"{path.name}: {error}", "bh-danger")
            return
        self._draft, self.name.value, self.note.value = draft, path.stem, draft.note
        self._judged(after)

    def _say(self, text: str, style: str) -> None:
        self.verdict.show(text, f"bh-note {style}")
        self.grid.paint()


def announced_by(path: Path) -> str:
    """How a draft gets behind L1's timelock."""
    return f"To announce it: bulkhead l1 propose --exchange FOLDER --draft {shlex.quote(str(path))}"


def shown(one: Parameter) -> str:
    """A parameter's value with its unit."""
    return f"{plain(one)} {one.unit}".replace(" count", "")


def plain(one: Parameter) -> str:
    """Its value alone, exactly as the configuration has it."""
    return f"{one.value:,f}"


def short(digest: str) -> str:
    """The two ends of a digest, enough to tell two apart by eye."""
    return f"{digest[:10]}…{digest[-6:]}" if len(digest) > 20 else digest or numbers.NONE

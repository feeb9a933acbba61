"""The small parts that screens are made of: panels, fields, buttons, tables, ages. All of them plain HTML.

    with parts.panel("Positions") as panel: ...
    size = parts.Field("Size", kind="number")
    parts.button("Buy", send, style="buy")
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, TypeVar, cast

from nicegui import ui
from nicegui.elements.mixins.value_element import ValueElement
from nicegui.events import GenericEventArguments

from bulkhead.terminal import events

Value = TypeVar("Value")
Kind = Literal["text", "number", "password", "choice", "tick"]
Style = Literal["plain", "primary", "buy", "sell"]
FIRST_CLICK = "(event) => { if (event.detail < 2) emit(window.bulkhead.entriesAround(event.currentTarget)); }"
PLACE = re.compile("[0-9]{1,9}")  # of an element among those of its page
OLD_MS = 5_000
NEVER_MS = 1 << 50  # for what is no worse for not having changed: that it would is the connection's word


class Entry(ValueElement[Value]):
    """What is typed is known here at once and not told back. What is set here is told again even where the browser was
    told the same before: something else may have been typed since. Each entry has a number, and what is told says
    which was the last that was heard: the browser keeps what was entered after that."""

    LOOPBACK = False

    def hear(self, value: str | bool, number: int) -> bool:
        """Take what the browser has, where it was entered after the last that was heard. False where it could not have
        been entered here."""
        if number <= self._props.get("heard", 0):
            return True
        if not self.is_possible(value):
            self.insist(number)
            return False
        self._note(number)
        self._send_update_on_value_change = False
        self.set_value(cast(Value, value))
        self._send_update_on_value_change = True
        self._client_value = value
        return True

    def disable(self, is_disabled: bool = True) -> None:
        """Take no entry, or take it again."""
        if self._props.get("disabled", False) != is_disabled:
            self._props["disabled"] = is_disabled

    def _event_args_to_value(self, e: GenericEventArguments) -> Value:
        entered, kept = events.told(e, events.Entered), cast(Value, self.value)
        if entered is not None and self.is_possible(entered.value):
            self._note(entered.number)
            kept = cast(Value, entered.value)
        elif entered is not None:
            self.insist(entered.number)
        e.args = kept  # what the base class takes for the browser's
        return kept

    def is_possible(self, value: str | bool) -> bool:
        """Whether it could have been entered here."""
        return isinstance(value, type(self.value))

    def insist(self, number: int) -> None:
        """Have the browser show what stands here, in place of its entry of this number."""
        self._props["heard"] = number
        self._props["told"] = self._props.get("told", 0) + 1

    def _note(self, number: int) -> None:
        with self._props.suspend_updates():
            self._props["heard"] = number

    def _handle_value_change(self, value: Value) -> None:
        if self._send_update_on_value_change:
            with self._props.suspend_updates():
                self._props["told"] = self._props.get("told", 0) + 1
        super()._handle_value_change(value)


class Field(Entry[str], component="static/field.js"):
    """A labelled field; `value` is its text. `kind` "choice" needs `options`: values with what is shown."""

    VALUE_PROP = "value"

    def __init__(
        self,
        label: str,
        *,
        kind: Kind = "text",
        value: str = "",
        options: Sequence[tuple[str, str]] = (),
        placeholder: str = "",
        hint: str = "",
        on_change: Callable[[], object] | None = None,
        on_enter: Callable[[], object] | None = None,
        on_escape: Callable[[], object] | None = None,
    ) -> None:
        self._is_secret = kind == "password"
        super().__init__(value=value, on_value_change=None if on_change is None else lambda _: on_change())
        self._props["label"] = label
        self._props["kind"] = kind
        self._props["own"] = f"field-{self.id}"
        self._props["options"] = [list(option) for option in options]
        self._props["placeholder"] = placeholder
        self._props["hint"] = hint
        if on_enter is not None:
            self.on("enter", _after_entries(on_enter))
        if on_escape is not None:
            self.on("escape", lambda _: on_escape())

    def is_possible(self, value: str | bool) -> bool:
        """Of a choice, what it offers now."""
        is_offered = self._props["kind"] != "choice" or any(one[0] == value for one in self._props["options"])
        return is_offered and super().is_possible(value)

    def _value_to_model_value(self, value: str) -> str:
        """What the browser is told of the value: of a secret nothing, not even what was typed there."""
        return "" if self._is_secret else value

    def clear_secret(self) -> None:
        """Forget what was entered, here and in the browser."""
        self.set_value("")
        self.run_method("clear")

    def empty(self, sent: str) -> None:
        """Empty it after what was sent; where something else was entered since, that stands."""
        if self.value == sent:
            self.set_value("")

    def problem(self, text: str) -> None:
        """Say what is wrong with the entry; "" for nothing."""
        if self._props.get("problem", "") != text:
            self._props["problem"] = text

    def hint(self, text: str) -> None:
        """Say something about the entry."""
        if self._props.get("hint", "") != text:
            self._props["hint"] = text

    def choose_from(self, options: Sequence[tuple[str, str]]) -> None:
        """Offer other choices."""
        made = [list(option) for option in options]
        if self._props.get("options") != made:
            self._props["options"] = made


class Tick(Entry[bool], component=None):
    """A labelled tick box; `value` is whether it is ticked."""

    VALUE_PROP = "value"

    def __init__(self, label: str, *, value: bool = False, on_change: Callable[[], object] | None = None) -> None:
        super().__init__(
            tag=Field.component.tag if Field.component is not None else None,
            value=value, on_value_change=None if on_change is None else lambda _: on_change(),
        )  # fmt: skip
        self.component = Field.component
        self._props["label"] = label
        self._props["kind"] = "tick"
        self._props["own"] = f"field-{self.id}"


class Text(ui.element):
    """A piece of text in any tag; `show` changes it only when it differs."""

    def __init__(self, text: str = "", tag: str = "span", classes: str = "") -> None:
        super().__init__(tag)
        self._text = text
        self._shown_classes = classes
        if classes:
            self.classes(classes)

    @property
    def text(self) -> str:
        """What is shown."""
        return self._text or ""

    def show(self, text: str, classes: str | None = None) -> None:
        """Show another text, and other classes."""
        if classes is not None and classes != self._shown_classes:
            self.classes(replace=classes)
            self._shown_classes = classes
        if text != self._text:
            self._text = text
            self.update()


class Age(ui.element):
    """How old something is, counted on in the browser: `told` says when it was told, by this machine's clock, or by the
    exchange's."""

    def __init__(
        self, *, old_ms: int = OLD_MS, prefix: str = "", suffix: str = " ago", by_exchange: bool = False
    ) -> None:
        super().__init__("span")
        self.classes("bh-age")
        self._props["data-at"] = 0
        self._props["data-old"] = old_ms
        self._props["data-prefix"] = prefix
        self._props["data-suffix"] = suffix
        if by_exchange:
            self._props["data-clock"] = "exchange"

    def told(self, at_ms: int) -> None:
        """It is of this moment."""
        if self._props["data-at"] != at_ms:
            self._props["data-at"] = at_ms

    def written(self, at_ms: int) -> None:
        """It is of this moment, and whoever calls lets the browser write it: for what changes many times a second."""
        with self._props.suspend_updates():
            self._props["data-at"] = at_ms


@contextmanager
def panel(title: str, *, classes: str = "", mark: str = "") -> Iterator[ui.element]:
    """A framed part of a screen with a heading. `mark` names it for tests."""
    with ui.element("section").classes(f"bh-panel {classes}") as made:
        if mark:
            made.props(f'data-mark="{mark}"')
        with ui.element("h2"):
            Text(title)
        yield made


def heading_age(panel: ui.element, *, old_ms: int = OLD_MS, prefix: str = "") -> Age:
    """An age at the end of a panel's heading: of what the panel shows, or of the answer that told it."""
    with panel.default_slot.children[0]:
        return Age(old_ms=old_ms, prefix=prefix)


def button(
    text: str,
    on_click: Callable[[], object] | Callable[[], Awaitable[object]],
    *,
    style: Style = "plain",
    mark: str = "",
    title: str = "",
) -> ui.element:
    """A button. The second click of a double click does nothing. A click brings what stands in the fields of its
    panel, so that it acts on what was seen, even where an entry was lost on its way."""
    made = ui.element("button").classes("bh-button" + ("" if style == "plain" else f" bh-{style}"))
    made.props("type=button")
    if mark:
        made.props(f'data-mark="{mark}"')
    if title:
        made.props["title"] = title
    made.on("click", _after_entries(on_click), js_handler=FIRST_CLICK)
    with made:
        Text(text)
    return made


def text_of(button: ui.element) -> Text:
    """The text on a button, to show another one."""
    found = button.default_slot.children[0]
    assert isinstance(found, Text), "buttons hold their text in one"
    return found


def _after_entries(act: Callable[[], object]) -> Callable[[GenericEventArguments], object]:
    """Do something once the entries that came with an event are known: [[field's own name, value, number], ...]."""

    def heard(event: GenericEventArguments) -> object:
        around = events.entries(event)
        if around is None:
            return None
        for one in around:
            place = one.own.rpartition("-")[2]
            found = event.client.elements.get(int(place)) if PLACE.fullmatch(place) else None
            if isinstance(found, Entry) and not found.hear(one.value, one.number):
                return None  # nothing is done with what is not to be seen here
        return act()

    return heard


def set_disabled(element: ui.element, is_disabled: bool) -> None:
    """Let a plain HTML button be clicked, or not."""
    if bool(element.props.get("disabled", False)) != is_disabled:
        element.props["disabled"] = is_disabled


def set_attribute(element: ui.element, name: str, value: str) -> None:
    """Change an attribute where it differs."""
    if element.props.get(name) != value:
        element.props[name] = value

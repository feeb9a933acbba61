"""What a page tells, held to what our pages tell: an event of another shape does nothing, and is noted.

Whoever has the cookie can say anything over a page's socket, a browser's extension among them. What it says is no entry
and no click unless it could have come from the page.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
import structlog
from nicegui.events import GenericEventArguments

NUMBER_MAX = 1 << 53  # as far as a browser counts exactly
TEXT_MAX = 10_000  # characters; nothing on our screens is a hundredth as long
Number = Annotated[int, msgspec.Meta(ge=0, le=NUMBER_MAX)]
Words = Annotated[str, msgspec.Meta(max_length=TEXT_MAX)]
Told = TypeVar("Told")
_log = structlog.get_logger(__name__)


class Entered(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """In an entry: what stands there now, and the how manieth of its entries that is."""

    value: Words | bool
    number: Number


class Around(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Of an entry around what was clicked, the same with its own name."""

    own: Words
    value: Words | bool
    number: Number


class Act(msgspec.Struct, frozen=True):
    """A button in a row of a table."""

    id: Words
    action: Words


class Window(msgspec.Struct, frozen=True):
    """The rows of a table that are in sight."""

    first: Number
    count: Number


def entries(event: GenericEventArguments) -> list[Around] | None:
    """Those that come with a click; None where it is none of our pages'."""
    return told(event, list[Around])


def told(event: GenericEventArguments, kind: type[Told]) -> Told | None:
    """What an event tells, None where none of our pages would tell it."""
    try:
        return msgspec.convert(event.args, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        where = type(event.sender).__name__
        _log.warning("an event that no page of this terminal sends is passed over", part=where, why=str(error)[:200])
        return None

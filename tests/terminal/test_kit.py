"""What an owner does on L1 from the terminal: where the answer is lost, nobody is told that nothing was done."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bulkhead.bridge.chain import Chain
from bulkhead.bridge.errors import ChainError, NotIncluded, Reverted, Unreachable
from bulkhead.terminal.risk.moving import _number
from bulkhead.terminal.session import NotReady
from bulkhead.terminal.settlement import kit
from bulkhead.terminal.settlement.kit import GENESIS, RECORD, Kit, Unsure
from bulkhead.terminal.settlement.money import amount_in


def kept(folder: Path) -> Kit:
    """A kit whose owner is unlocked, and whose files are there."""
    settings = SimpleNamespace(keys=folder / "keys", l1="http://127.0.0.1:8545")
    unlocked = SimpleNamespace(kept=SimpleNamespace(ethereum_key="0x" + "22" * 32))
    exchange = SimpleNamespace(transport=SimpleNamespace(url="http://exchange"))
    made = Kit(SimpleNamespace(settings=settings, unlocked=unlocked, exchange=exchange))  # type: ignore[arg-type]
    made.folder.mkdir(parents=True)
    for name in (GENESIS, RECORD):
        (made.folder / name).write_bytes(b"")
    return made


def fails(error: ChainError) -> Any:
    """Something on L1 that is begun and then fails."""

    def work(_: object) -> None:
        raise error

    return work


@pytest.mark.parametrize("error", [Unreachable("no answer to eth_getTransactionReceipt"), NotIncluded("0x12 waits")])
def test_what_was_begun_and_has_no_answer_is_not_called_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: ChainError
) -> None:
    @contextmanager
    def opened(*_: object) -> Iterator[object]:
        yield object()

    monkeypatch.setattr(kit.L1, "opened", opened)
    with pytest.raises(Unsure, match="may or may not have been done"):
        asyncio.run(kept(tmp_path).ask(fails(error)))
    with pytest.raises(NotReady) as refused:
        asyncio.run(kept(tmp_path / "other").ask(fails(Reverted("it said no"))))
    assert not isinstance(refused.value, Unsure), "L1 has answered"


def test_an_l1_that_is_not_there_is_named_and_nothing_was_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def opened(where: str, *_: object) -> Iterator[object]:
        yield Chain.connect(where)

    monkeypatch.setattr(kit.L1, "opened", opened)
    here = kept(tmp_path)
    (here.folder / kit.WHERE).write_text("http://127.0.0.1:9")
    with pytest.raises(NotReady, match=r"nobody listens at http://127\.0\.0\.1:9$") as found:
        asyncio.run(here.ask(lambda _: None))
    assert not isinstance(found.value, Unsure)


def test_amounts_with_a_decimal_comma_are_refused_and_not_a_hundredfold() -> None:
    """Withdrawn, or moved between accounts."""
    said: list[str] = []
    for text, value in (("1,250.5", Decimal("1250.5")), ("12,50", None)):
        field: Any = SimpleNamespace(value=text, problem=said.append)
        assert amount_in(field) == value
        moved = _number(text)
        assert moved == value if value is not None else "A comma parts thousands" in str(moved)
    assert said == ["", "An amount in USD. A comma parts thousands."]

"""The writer: groups, back-pressure, its own commands' mistakes, and a disk that fails."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from bulkhead.engine.command import Clock, Command
from bulkhead.node.exchange import Answer, Exchange
from bulkhead.node.journal import Journal, JournalError
from bulkhead.node.writer import GROUP_MAX, Busy, Malformed, Stopped, Writer
from bulkhead.units import TimeMs
from tests.node.exchange_world import START_MS, Scribe, small_config


def opened(folder: Path) -> Exchange:
    return Exchange.open(folder, small_config(), START_MS, verify=False)


def test_what_arrives_together_is_synced_together_and_answered_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs = 0
    commit = Journal.commit

    def counted(journal: Journal) -> int:
        nonlocal syncs
        syncs += bool(journal._pending)
        return commit(journal)

    monkeypatch.setattr(Journal, "commit", counted)

    async def run() -> None:
        writer = Writer(opened(tmp_path), lambda: START_MS, 10_000)
        heard: list[int] = []
        writer.listeners.append(lambda answers: heard.extend(answer.sequence for answer in answers))
        task = asyncio.create_task(writer.run())
        scribe = Scribe(1)
        commands = [command for command, _ in zip(scribe.opening(), range(9), strict=False)]
        answers = await asyncio.gather(*(writer.send(lambda now, one=command: one) for command in commands))
        found = [answer.sequence for answer in answers if isinstance(answer, Answer)]
        assert found == list(range(1, 10)) == heard
        assert syncs == 1
        await asyncio.gather(*(writer.send(Clock) for _ in range(2 * GROUP_MAX + 1)))
        assert writer.groups == 4
        writer.close()
        await task
        with pytest.raises(Stopped):
            await writer.send(Clock)
        writer.exchange.close()

    asyncio.run(run())


def test_a_full_queue_says_so_and_what_was_taken_is_done(tmp_path: Path) -> None:
    async def run() -> None:
        writer = Writer(opened(tmp_path), lambda: START_MS, 3)
        sends = [asyncio.create_task(writer.send(Clock)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await writer.send(Clock)
        task = asyncio.create_task(writer.run())
        assert len(await asyncio.gather(*sends)) == 3
        writer.close()
        await task
        writer.exchange.close()

    asyncio.run(run())


def test_a_command_that_cannot_be_made_or_written_costs_nobody_else_his_turn(tmp_path: Path) -> None:
    def broken(now: TimeMs) -> Command:
        raise ValueError("the maker's own mistake")

    async def run() -> None:
        writer = Writer(opened(tmp_path), lambda: START_MS, 10)
        task = asyncio.create_task(writer.run())
        good, broke, wrong = await asyncio.gather(
            writer.send(Clock),
            writer.send(broken),
            writer.send(lambda now: Clock("now")),  # type: ignore[arg-type]
            return_exceptions=True,
        )
        assert isinstance(good, Answer) and isinstance(broke, ValueError) and isinstance(wrong, Malformed)
        writer.close()
        await task
        writer.exchange.close()

    asyncio.run(run())


def test_the_clock_never_goes_back_behind_the_journal(tmp_path: Path) -> None:
    async def run() -> None:
        now = START_MS + 5_000
        writer = Writer(opened(tmp_path), lambda: TimeMs(now), 10)
        task = asyncio.create_task(writer.run())
        await writer.send(Clock)
        now = START_MS
        answer = await writer.send(Clock)
        assert isinstance(answer, Answer) and answer.command.time_ms == START_MS + 5_000
        writer.close()
        await task
        writer.exchange.close()

    asyncio.run(run())


def test_a_disk_that_fails_ends_the_writer_and_tells_everybody_who_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        writer = Writer(opened(tmp_path), lambda: START_MS, 10)

        def failing(journal: Journal) -> int:
            raise JournalError("no space left on device")

        monkeypatch.setattr(Journal, "commit", failing)
        task = asyncio.create_task(writer.run())
        answers = await asyncio.gather(*(writer.send(Clock) for _ in range(3)), return_exceptions=True)
        assert all(isinstance(answer, Stopped) for answer in answers)
        with pytest.raises(JournalError):
            await task
        assert "no space left" in writer.failure
        with pytest.raises(Stopped, match="no space left"):
            await writer.send(Clock)

    asyncio.run(run())
    monkeypatch.undo()


def test_a_snapshot_waits_for_the_group_that_is_being_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit, syncing, taken_while_syncing = Journal.commit, False, []
    write, may_end = Exchange.snapshot, threading.Event()

    def slow(journal: Journal) -> int:
        nonlocal syncing
        syncing = bool(journal._pending)
        if syncing:
            may_end.wait(10)
        done = commit(journal)
        syncing = False
        return done

    def seen(exchange: Exchange) -> Path:
        taken_while_syncing.append(syncing)
        return write(exchange)

    monkeypatch.setattr(Journal, "commit", slow)
    monkeypatch.setattr(Exchange, "snapshot", seen)

    async def run() -> None:
        writer = Writer(opened(tmp_path), lambda: START_MS, 10_000)
        task = asyncio.create_task(writer.run())
        for _ in range(5):
            sends = [asyncio.create_task(writer.send(Clock)) for _ in range(3)]
            while not syncing:
                await asyncio.sleep(0.001)
            taken = asyncio.create_task(writer.snapshot())
            await asyncio.sleep(0.005)
            assert syncing and not taken.done()
            may_end.set()
            assert (await taken).exists()
            may_end.clear()
            assert all(isinstance(answer, Answer) for answer in await asyncio.gather(*sends))
        assert not writer.failure
        writer.close()
        await task
        with pytest.raises(Stopped):
            await writer.snapshot()
        writer.exchange.close()

    asyncio.run(run())
    assert taken_while_syncing == [False] * 5
    may_end.set()  # opening writes, too
    again = opened(tmp_path)
    assert again.sequence == 16  # and the command with which a node starts again
    again.close()


def test_whoever_waits_for_a_snapshot_is_told_that_the_disk_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        writer = Writer(opened(tmp_path), lambda: START_MS, 10)

        def failing(exchange: Exchange) -> Path:
            raise JournalError("no space is left")

        monkeypatch.setattr(Exchange, "snapshot", failing)
        task = asyncio.create_task(writer.run())
        with pytest.raises(Stopped):
            await writer.snapshot()
        with pytest.raises(JournalError):
            await task
        assert "no space" in writer.failure
        writer.exchange.close()

    asyncio.run(run())

"""One run per margin mode: same seed, same prices, same orders; only the featured traders' accounts differ."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty
from typing import Any, NamedTuple

from bulkhead.lab.agents import BasisTrader, Liquidator, Maker, Noise, crowd
from bulkhead.lab.measures import Recorder
from bulkhead.lab.prices import BarOrder, DataError, DataSet, Ticks, load, ticks
from bulkhead.lab.scribe import Scribe
from bulkhead.lab.traders import DOLLAR, MARKETS_MIN, SWING, TRADERS, Featured, MarginMode
from bulkhead.lab.venue import config_of
from bulkhead.lab.world import Listener, World
from bulkhead.ledger.config import BACKSTOP_ACCOUNT, VenueConfig
from bulkhead.units import TimeMs

TICK_MS = 60_000
STORY_STEPS_PER_BAR = 6
STORY_BEGINS, STORY_LASTS = 0.07, 0.6  # of the set: so the crash of a shipped or named set is inside ...
STORY_BEGINS_LATE = {"crash-2026-02-05": 0.4}  # ... where the set does not end with it
DAY_MS = 86_400_000
FIRST_TRADER = 6_400
FIRST_MAKER = 640
FIRST_NOISE = 1_280
FIRST_BASIS = 32_000
FIRST_LIQUIDATOR = 48_000
FIRST_CROWD = 64_000
PROGRESS_EVERY = 60


@dataclass(frozen=True, slots=True)
class Setting:
    """Everything that decides a run, so that the same setting gives the same run on any machine."""

    data_name: str
    data_dir: str | None = None
    seed: int = 1
    bar_order: BarOrder = "high-first"
    traders: tuple[str, ...] = tuple(trader.name for trader in TRADERS)
    crowd: int = 60
    makers: int = 2
    levels: int = 2  # each maker quotes on each side
    requote: float = 0.005  # makers quote anew when the index has moved this far ...
    quote_hours: float = 0.5  # ... or when quotes are this old
    noise: int = 2
    basis_traders: int = 0
    liquidators: int = 0
    first_day: float = 0.0  # of the set
    days: float | None = None  # to the end of the set when None
    tick_ms: int = TICK_MS
    journals: str | None = None  # a folder for one journal a run
    check_invariants: bool = False


@dataclass(slots=True)
class Outcome:
    """What one mode did to everybody: plain values that travel between processes."""

    mode: MarginMode
    recorder: Recorder
    planned: dict[str, int]
    orders: int
    commands: int
    fees: float
    insurance: float
    digest: str
    symbols: list[str] = field(default_factory=list)


def prices_of(setting: Setting) -> tuple[DataSet, Ticks]:
    """The price set and its minutes, cut to the asked number of days. DataError where the traders lack a market."""
    data = load(setting.data_name, setting.data_dir)
    if setting.traders and len(data.symbols) < MARKETS_MIN:
        have = ", ".join(data.symbols)
        raise DataError(f"{data.name} has {have} alone: the traders of a comparison need {MARKETS_MIN} coins")
    path = ticks(data, setting.tick_ms, setting.bar_order, setting.seed)
    per_day = DAY_MS / setting.tick_ms
    first = int(setting.first_day * per_day)
    last = len(path.time_ms) if setting.days is None else first + int(setting.days * per_day)
    cut = {symbol: series[first:last] for symbol, series in path.price.items()}
    return data, Ticks(path.time_ms[first:last], cut)


def build(setting: Setting, mode: MarginMode) -> tuple[World, Recorder]:
    """A world with makers, noise and a crowd, the same in every mode, and the featured traders under one mode."""
    data, path = prices_of(setting)
    config = config_of(data, setting.tick_ms)
    world = World(config, path, listeners=scribes(setting, config, int(path.time_ms[0]), mode))
    world.deposit(BACKSTOP_ACCOUNT, 2_000_000 * DOLLAR)
    world.insure(250_000 * DOLLAR)
    for place in range(setting.makers):
        account_id = FIRST_MAKER + 64 * place
        world.register(account_id)
        world.deposit(account_id, 5_000_000 * DOLLAR)
        world.agents.append(
            Maker(account_id, 0.0006 * (1 + place), setting.levels, setting.requote, setting.quote_hours)
        )
    featured: list[Featured] = []
    for place, trader in enumerate(TRADERS):
        if trader.name in setting.traders:
            one = Featured(trader, mode, FIRST_TRADER + 640 * place, setting.seed)
            one.enter(world)
            featured.append(one)
            world.agents.append(one)
    for member, capital in crowd(setting.crowd, FIRST_CROWD, len(world.config.markets), world.steps, setting.seed):
        world.register(member.account_id)
        world.deposit(member.account_id, int(capital * DOLLAR))
        world.agents.append(member)
    for place in range(setting.noise):
        account_id = FIRST_NOISE + 64 * place
        world.register(account_id)
        world.deposit(account_id, 1_000_000 * DOLLAR)
        world.agents.append(Noise(account_id, setting.seed))
    for place in range(setting.basis_traders):
        basis_trader = BasisTrader(FIRST_BASIS + 64 * place)
        world.register(basis_trader.account_id)
        world.deposit(basis_trader.account_id, 300_000 * DOLLAR)
        world.agents.append(basis_trader)
    for place in range(setting.liquidators):
        liquidator = Liquidator(FIRST_LIQUIDATOR + 64 * place)
        world.register(liquidator.account_id)
        world.deposit(liquidator.account_id, 2_000_000 * DOLLAR)
        world.agents.append(liquidator)
    recorder = Recorder(mode, featured)
    world.listeners.append(recorder)
    return world, recorder


def scribes(setting: Setting, config: VenueConfig, time_ms: int, mode: MarginMode) -> list[Listener]:
    """Who writes the run down, if it was asked for."""
    if setting.journals is None:
        return []
    return [Scribe(Path(setting.journals) / f"{mode.value}-{setting.bar_order}", config, TimeMs(time_ms))]


def outcome_of(world: World, recorder: Recorder, mode: MarginMode) -> Outcome:
    """Close the books of a finished run."""
    for listener in world.listeners:
        if isinstance(listener, Scribe):
            listener.close()
    state = world.state
    funds = list(state.funds.values())
    return Outcome(
        mode=mode,
        recorder=recorder,
        planned={trader.trader.name: trader.planned for trader in recorder.featured},
        orders=world.orders,
        commands=world.commands,
        fees=sum(int(fund.fees) + int(fund.l1) for fund in funds) / 1e6,
        insurance=sum(int(fund.insurance) for fund in funds) / 1e6,
        digest=world.machine.digest().hex(),
        symbols=[terms.name for terms in world.config.markets],
    )


def run_mode(setting: Setting, mode: MarginMode, report: Callable[[int, int, int], None]) -> Outcome:
    """Run one mode to the end. `report(step, steps, orders)` is called about once an hour of simulated time."""
    world, recorder = build(setting, mode)
    for step in world.run():
        if step % PROGRESS_EVERY == 0 or step == world.steps:
            report(step, world.steps, world.orders)
    return outcome_of(world, recorder, mode)


def story_setting(setting: Setting) -> Setting:
    """One trader, a small market around him, coarser ticks: the run that is shown first, within seconds."""
    data, _ = prices_of(setting)
    shortest = min(bars.interval_ms for bars in data.bars.values())
    tick_ms = max(TICK_MS, shortest // STORY_STEPS_PER_BAR)
    small = replace(setting, traders=(SWING.name,), crowd=0, makers=1, noise=1)
    days = (data.end_ms - data.start_ms) / DAY_MS
    begins = STORY_BEGINS_LATE.get(setting.data_name, STORY_BEGINS)
    window = replace(small, tick_ms=tick_ms, first_day=begins * days, days=STORY_LASTS * days)
    return replace(window, levels=2, requote=0.01, quote_hours=2.0)


class Job(NamedTuple):
    """One run: a mode, and in which order bars are walked."""

    mode: MarginMode
    bar_order: BarOrder


Progress = Callable[[Job, int, int, int], None]
Message = tuple[str, Job, Any]


def _work(setting: Setting, job: Job, queue: Queue[Message]) -> None:
    try:
        there = replace(setting, bar_order=job.bar_order)
        outcome = run_mode(there, job.mode, lambda *progress: queue.put(("progress", job, progress)))
        queue.put(("done", job, outcome))
    except BaseException as problem:
        queue.put(("failed", job, f"{type(problem).__name__}: {problem}"))
        raise


def run_all(setting: Setting, jobs: Sequence[Job], report: Progress, workers: int = 2) -> dict[Job, Outcome]:
    """Run jobs in `workers` processes. Raises RuntimeError naming the job when one fails."""
    context = multiprocessing.get_context("spawn")
    queue: Queue[Message] = context.Queue()
    waiting = list(jobs)
    running: dict[Job, Any] = {}
    outcomes: dict[Job, Outcome] = {}
    try:
        while len(outcomes) < len(jobs):
            while waiting and len(running) < workers:
                job = waiting.pop(0)
                running[job] = context.Process(target=_work, args=(setting, job, queue), daemon=True)
                running[job].start()
            message = _next(queue, running)
            if message is None:
                continue
            kind, job, content = message
            if kind == "progress":
                report(job, *content)
            elif kind == "done":
                outcomes[job] = content
                running.pop(job).join()
            else:
                raise RuntimeError(f"the run {job.mode.value}, {job.bar_order} failed: {content}")
    finally:
        for process in running.values():
            process.terminate()
        queue.close()
    return {job: outcomes[job] for job in jobs}


def _next(queue: Queue[Message], running: Mapping[Job, Any]) -> Message | None:
    """The next message, None after a quiet second. RuntimeError when a process died without a word."""
    try:
        return queue.get(timeout=1.0)
    except Empty:
        dead = [job for job, process in running.items() if process.exitcode is not None]
        if dead and queue.empty():
            raise RuntimeError(f"the process of the {dead[0].mode.value} run died without an answer") from None
        return None


def modes_of(outcomes: Mapping[Job, Outcome], bar_order: BarOrder) -> dict[MarginMode, Outcome]:
    """The four modes of one bar order."""
    return {job.mode: outcome for job, outcome in outcomes.items() if job.bar_order == bar_order}

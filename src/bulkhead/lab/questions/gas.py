"""Gas price against the smallest liquidation worth doing: settled by proofs, and on L1 alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from bulkhead.lab.pages import Column, Figure, Page, Section, Source, Table, version
from bulkhead.lab.pages.plots import Axis, Series, lines
from bulkhead.lab.sweep.question import Parameter, Point, Result, Settings, command_of, data_file

GWEI = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0)
ETHER = (2_000.0, 4_000.0)
TAKEN = 0.0105
"""Share of notional a liquidation brings at most by this venue's defaults: penalty 1 %, fee 0.05 %."""
CHARGE, DUST = 0.02, 1_000.0
"""USD: what the venue sets aside of a trade's fees for L1, and below which a rest is closed whole."""
BATCH_GAS, BATCH_TRADES = 20_010_916, 69
FULL_GAS, FULL_TRADES = 20_031_028, 110
LARGE_GAS, LARGE_TRADES = 29_801_967, 1_500
LENDING = "defi_liquidations_2020_2026.parquet"


class Way(NamedTuple):
    """One way of settling: gas for one liquidation, over how many trades it is shared out, and where that is from."""

    title: str
    gas: float
    trades: int
    origin: str


WAYS = (
    Way("by proof now", BATCH_GAS / BATCH_TRADES, BATCH_TRADES, "measured: the demo's batch, six transactions"),
    Way(
        "by proof, the same batch full", FULL_GAS / FULL_TRADES, FULL_TRADES,
        "measured: the largest batch proven in that shape",
    ),
    Way(
        "by proof, the largest batch", LARGE_GAS / LARGE_TRADES, LARGE_TRADES,
        "measured: the largest shape, whose proof takes 15 GiB and a minute",
    ),
    Way("by proofs of proofs", 426.0, 14_000, "StarkEx, published for full batches; not built here"),
    Way("on L1 alone, at least", 104_189.0, 1, "StarkEx, measured on chain: a forced trade, which only asks for it"),
)  # fmt: skip


def cost_usd(gas: float, gwei: float, ether_usd: float) -> float:
    """What so much gas costs."""
    return gas * gwei * 1e-9 * ether_usd


class Gas:
    """What gas makes of small liquidations."""

    name = "gas"
    title = "The smallest liquidation worth doing"
    words = "From what notional on does a liquidation bring more than it costs to settle, on L2 and on L1?"
    worlds = False
    parameters: tuple[Parameter, ...] = (
        Parameter("gwei", "price of a unit of gas", "gwei", GWEI, None),
        Parameter("ether", "price of ether", "USD", ETHER, None),
    )

    def files(self, settings: Settings) -> Sequence[Path]:
        return [] if settings.data_dir is None else [data_file(settings, LENDING)]

    def points(self, settings: Settings) -> Sequence[Point]:
        return [{"gwei": gwei, "ether": ether} for ether in ETHER for gwei in GWEI]

    def measure(self, settings: Settings, point: Point) -> Result:
        costs = [cost_usd(way.gas, point["gwei"], point["ether"]) for way in WAYS]
        least = [cost / TAKEN for cost in costs]
        below: list[float | None] = [None] * len(WAYS)
        if settings.data_dir is not None:
            sizes = pl.read_parquet(settings.data_dir / LENDING)["amount_usd"].drop_nulls()
            below = [int((sizes < smallest).sum()) / len(sizes) for smallest in least]
        return {"cost": costs, "least": least, "below": below}

    def page(self, settings: Settings, measured: Sequence[tuple[Point, Result]]) -> Page:
        at_one = next(result for point, result in measured if point["gwei"] == 1.0 and point["ether"] == 4_000.0)
        covered = [CHARGE / (way.gas * 1e-9 * 4_000.0) for way in WAYS]
        dusty = [DUST * TAKEN / (way.gas * 1e-9 * 4_000.0) for way in WAYS]
        now, full, large, recursive, alone = at_one["least"]
        answer = (
            f"At 1 gwei and ether at $4,000 a liquidation pays for its own settlement from ${now:,.0f} on with today's "
            f"batch of {BATCH_TRADES} trades, ${full:,.0f} with that batch full, ${large:,.0f} with {LARGE_TRADES:,} "
            f"trades, ${recursive:,.2f} with proofs of proofs; on L1 alone from ${alone:,.0f} on, at the very least.",
            f"So one proof a batch is cheaper than L1 from some {FULL_GAS / WAYS[4].gas:,.0f} trades in a batch on. "
            f"The venue's {DUST:,.0f} USD of dust pay for their step up to {dusty[0]:.1f} gwei now, {dusty[2]:.0f} "
            f"with the largest batch, and {dusty[3]:,.0f} with proofs of proofs.",
        )
        against = (
            "Against it: a batch is settled whether a liquidation is in it or not. One more in a batch that has "
            "room costs "
            "some 1,100 gas for each changed word (26 bytes of calldata at the floor price), not its share; and a "
            "liquidation that is left undone can cost the fund far more than its gas.",
        )
        figures = (
            Figure("A trade settled now", f"{WAYS[0].gas:,.0f} gas", f"{BATCH_TRADES} trades in a batch"),
            Figure("With the largest batch", f"{WAYS[2].gas:,.0f} gas", f"{LARGE_TRADES:,} trades"),
            Figure("With proofs of proofs", f"{WAYS[3].gas:,.0f} gas", "published by StarkEx"),
            Figure(
                "0.02 USD a trade pay for L1", f"{covered[0]:.3f} gwei",
                f"{covered[2]:.3f} with the largest batch, {covered[3]:.1f} with proofs of proofs",
            ),
        )
        sources = [Source("Gas of this project", "Apache-2.0", "benchmarks on_chain and the demo's batch"),
                   Source("Gas of StarkEx", "published figures", "docs.starkware.co, on-chain gas usage")]  # fmt: skip
        if settings.data_dir is not None:
            sources.append(Source("6,269 liquidations of lending on Ethereum, 2020 to 2026", "none stated", LENDING))
        return Page(
            self.title, self.words, answer, command_of(self, settings), None, tuple(sources), version(),
            (_plots(measured), _ways(), *(_lending(measured) if settings.data_dir is not None else ())),
            figures, against,
        )  # fmt: skip


def _plots(measured: Sequence[tuple[Point, Result]]) -> Section:
    found = [(point, result) for point, result in measured if point["ether"] == 4_000.0]
    series = [
        Series(way.title, GWEI, [result["least"][place] for _, result in found]) for place, way in enumerate(WAYS)
    ]
    dust = Series("the venue's dust", GWEI, [DUST] * len(GWEI))
    plot = lines(
        [*series, dust], Axis("gas price, gwei", log=True), Axis("smallest notional, USD", log=True, format="$,~g"),
        "Smallest liquidation that pays for itself, ether at $4,000. Below its line, a way of settling loses money.",
    )  # fmt: skip
    columns = (Column("gas price", "gwei", 2), Column("ether", "$", 0), *(Column(way.title, "$", 2) for way in WAYS))
    rows = tuple((point["gwei"], point["ether"], *result["least"]) for point, result in measured)
    return Section("Smallest liquidation worth doing", plots=(plot,), tables=(Table("smallest", columns, rows),))


def _ways() -> Section:
    columns = (Column("way"), Column("gas a liquidation", "", 0), Column("shared by", "trades", 0), Column("from"))
    return Section(
        "What is shared out over how many trades",
        ("A batch's gas is nearly all proof: some 20 million in six transactions, of which settling itself takes 0.1 "
         "to 0.5. A shape for fourteen times as many trades takes half as much again.",),
        tables=(Table("ways", columns, tuple((way.title, way.gas, way.trades, way.origin) for way in WAYS)),),
    )  # fmt: skip


def _lending(measured: Sequence[tuple[Point, Result]]) -> tuple[Section, ...]:
    found = [(point, result) for point, result in measured if point["ether"] == 4_000.0]
    plot = lines(
        [Series(way.title, GWEI, [result["below"][place] for _, result in found]) for place, way in enumerate(WAYS)],
        Axis("gas price, gwei", log=True), Axis("share too small", format=".0%"),
        "Share of liquidations recorded in lending on Ethereum that would have been too small to pay for themselves "
        "here.",
    )  # fmt: skip
    return (Section("How many liquidations are that small", plots=(plot,)),)

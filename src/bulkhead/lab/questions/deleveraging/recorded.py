"""The deleveraging of 10 October 2025 on Hyperliquid as it was recorded, and what this venue's rule would have taken.

The tables are those of the authors of arXiv 2512.01112 (waves and shocks, MIT) and of a reconstruction of positions in
BTC and SOL. What they do not hold: the lots and leverage of those who were deleveraged, before it happened.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from bulkhead.lab.prices.bars import DataError
from bulkhead.lab.questions.deleveraging.split import Member, Split, pro_rata, queue
from bulkhead.ledger.defaults import market

FOLDER = "hyperliquid_20251010"
WAVES, GAPS, SHOCKS = "adl_wave_equity.parquet", "adl_wave_coin_gap.parquet", "adl_shocks_by_coin.parquet"
POLICIES, POSITIONS = "adl_waves_policy.parquet", "positions_btc_sol.parquet"
FILES = tuple(f"{FOLDER}/{name}" for name in (WAVES, GAPS, SHOCKS, POLICIES, POSITIONS))
MAJORS = ("BTC", "ETH")
BEFORE = {"BTC": 116_970.0, "SOL": 207.06}
"""USD at 20:50 UTC, before the fall (bars of Binance perpetuals): where holders are taken to have sold."""
ORDERS = 50
"""Orders of the queue that are drawn, since leverage is not recorded."""


def read(folder: Path, name: str, columns: tuple[str, ...]) -> pl.DataFrame:
    """A table with these columns, numbers finite; DataError names file, column and row."""
    path = folder / FOLDER / name
    table = pl.read_parquet(path)
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise DataError(f"{path}: no column {', '.join(missing)}")
    for column in columns:
        if table[column].dtype.is_float():
            wrong = table[column].is_null() | ~table[column].is_finite().fill_null(False)
            if wrong.any():
                raise DataError(f"{path}: {column} is not a finite number (row {int(wrong.arg_max() or 0) + 1})")
    return table


def waves(folder: Path) -> dict[str, Any]:
    """Wave by wave: what was needed, what production took, and what pro rata takes, first with no insurance fund."""
    equity = read(folder, WAVES, ("wave", "t_start_ms", "deficit_usd", "budget_needed_usd", "budget_prod_usd"))
    gaps = read(folder, GAPS, ("wave", "coin", "gap_usd_x_qty", "qty_contracts", "gap_per_contract_usd"))
    policy = read(folder, POLICIES, ("wave", "max_pct_prod", "max_pct_pnl_pr", "budget_pnl_pr"))
    shocks = read(folder, SHOCKS, ("deficit_usd", "budget_queue_usd"))
    ours = our_budget(gaps)
    rows = []
    for wave in equity.join(policy.drop("deficit_usd"), on="wave").sort("wave").iter_rows(named=True):
        rows.append(
            {
                "wave": wave["wave"],
                "time_ms": wave["t_start_ms"],
                "deficit": wave["deficit_usd"],
                "needed": wave["budget_needed_usd"],
                "queue": wave["budget_prod_usd"],
                "pro_rata": ours[wave["wave"]],
                "most_queue": wave["max_pct_prod"],
                "most_pro_rata": wave["max_pct_pnl_pr"],
            }
        )
    coins, covered = after_budgets(gaps)
    return {
        "waves": rows,
        "coins": coins,
        "covered": covered,
        "shock_deficit": float(shocks["deficit_usd"].sum()),
        "shock_queue": float(shocks["budget_queue_usd"].sum()),
    }


def our_budget(gaps: pl.DataFrame) -> dict[int, float]:
    """What winners give up by wave under this venue's rule: lots of bankrupt positions at the zero price, no more.

    Only the bankrupt lots change hands, each at the price at which its owner is worth nothing; what a winner gives up
    on one is its distance from the fair price. So the sum is lots times gap, whoever they come from.
    """
    taken: dict[int, float] = {}
    for row in gaps.iter_rows(named=True):
        given = row["qty_contracts"] * row["gap_per_contract_usd"]
        taken[row["wave"]] = taken.get(row["wave"], 0.0) + given
    return taken


def after_budgets(gaps: pl.DataFrame) -> tuple[list[dict[str, Any]], float]:
    """By coin what is left for deleveraging once each market's loss budget (this venue's defaults) has paid, and the
    sum that the insurance fund would have paid."""
    rows, covered = [], 0.0
    by_coin = gaps.group_by("coin").agg(pl.col("gap_usd_x_qty").sum(), pl.col("qty_contracts").sum())
    for row in by_coin.sort("gap_usd_x_qty", descending=True).iter_rows(named=True):
        terms = market(1, row["coin"], 1, is_major=row["coin"] in MAJORS, initial=200)
        budget = int(terms.loss_budget) / 1e6
        paid = min(budget, row["gap_usd_x_qty"])
        covered += paid
        left = row["gap_usd_x_qty"] - paid
        rows.append({"coin": row["coin"], "gap": row["gap_usd_x_qty"], "budget": budget, "left": left})
    return rows, covered


def members_of(folder: Path, asset: str) -> tuple[list[Member], dict[str, Any]]:
    """Shorts in profit in an asset as the rule would see them, and counts of what was done to them.

    Lots are not recorded; they are profit over the fall since `BEFORE`, as if all had sold there. A lot is a dollar of
    notional. The hedge is the loss on an opposite position in the other asset, by that asset's fall.
    """
    columns = ("user_address", "asset", "side", "position_size", "mark_price", "absolute_pnl", "was_adl")
    table = read(folder, POSITIONS, columns)
    other = "SOL" if asset == "BTC" else "BTC"
    falls = {
        name: 1.0 - float(table.filter(pl.col("asset") == name)["mark_price"][0]) / BEFORE[name] for name in BEFORE
    }
    shorts = table.filter((pl.col("asset") == asset) & (pl.col("side") == "SHORT") & (pl.col("absolute_pnl") > 1.0))
    longs = table.filter((pl.col("asset") == other) & (pl.col("side") == "LONG")).select(
        "user_address", pl.col("absolute_pnl").alias("other_pnl"), pl.col("was_adl").alias("other_adl")
    )
    members, hedged, one_leg, deleveraged, gone = [], 0, 0, 0, 0
    for place, row in enumerate(
        shorts.join(longs, on="user_address", how="left").sort("user_address").iter_rows(named=True)
    ):
        lots = max(1, round(row["absolute_pnl"] / falls[asset]))
        loss = max(0.0, -(row["other_pnl"] or 0.0))
        members.append(Member(64 * (place + 1), lots, round(row["absolute_pnl"]), round(loss / falls[other]), 1.0))
        hedged += loss > 0
        one_leg += loss > 0 and row["was_adl"] and not row["other_adl"]
        deleveraged += row["was_adl"]
        gone += row["was_adl"] and abs(row["position_size"]) < 1e-9
    counts = {"holders": len(members), "hedged": hedged, "one_leg": one_leg, "deleveraged": deleveraged, "gone": gone}
    return members, counts


def split_of(folder: Path, asset: str, one_group: bool, seed: int) -> dict[str, Any]:
    """The recorded lots of an asset shared out among its recorded winners by both rules.

    The queue needs leverage, which is not recorded: it is drawn `ORDERS` times (log-normal, median 5, sigma 0.9).
    """
    members, counts = members_of(folder, asset)
    gaps = read(folder, GAPS, ("coin", "qty_contracts", "gap_usd_x_qty")).filter(pl.col("coin") == asset)
    price = BEFORE[asset] * (1.0 - _fall(folder, asset))
    amount = min(math.floor(float(gaps["qty_contracts"].sum()) * price), sum(member.lots for member in members))
    ours = pro_rata(amount, members, one_group)
    draw = np.random.Generator(np.random.Philox(key=seed))
    theirs = []
    for _ in range(ORDERS):
        leverage = np.exp(np.log(5.0) + 0.9 * draw.standard_normal(len(members)))
        ranked = [one._replace(equity=one.lots / float(times)) for one, times in zip(members, leverage, strict=True)]
        theirs.append(queue(amount, ranked))
    return {
        "asset": asset, "one_group": one_group, "amount": amount, "open": sum(member.lots for member in members),
        **counts, "pro_rata": shown(ours), "queue": shown(*theirs),
    }  # fmt: skip


def _fall(folder: Path, asset: str) -> float:
    table = read(folder, POSITIONS, ("asset", "mark_price")).filter(pl.col("asset") == asset)
    return 1.0 - float(table["mark_price"][0]) / BEFORE[asset]


def shown(*splits: Split) -> dict[str, float]:
    """Means of what a rule did."""
    return {
        "taken": float(np.mean([sum(split.taken.values()) for split in splits])),
        "hit": float(np.mean([split.hit for split in splits])),
        "wiped": float(np.mean([split.wiped for split in splits])),
        "most": float(np.mean([split.most for split in splits])),
        "naked": float(np.mean([split.naked for split in splits])),
        "stripped": float(np.mean([split.stripped for split in splits])),
    }

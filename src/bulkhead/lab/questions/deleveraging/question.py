"""The question of deleveraging, asked of the recorded event of 10 October 2025 and of drawn holders."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bulkhead.lab.pages import Column, Figure, Page, Section, Source, Table, version
from bulkhead.lab.pages.plots import Axis, Series, bars, lines
from bulkhead.lab.questions.deleveraging.recorded import FILES, ORDERS, shown, split_of, waves
from bulkhead.lab.questions.deleveraging.split import Member, pro_rata, queue
from bulkhead.lab.sweep.question import Parameter, Point, Result, Settings, command_of, data_file

HEDGED = (0.0, 0.25, 0.5, 0.75)
WANTED = (0.02, 0.05, 0.1, 0.2, 0.4)
HOLDERS, DRAWS = 300, 40
MILLION = 1e6
NO_DATA = "The recorded event was left out: no folder of recorded data was named (--data or BULKHEAD_DATA)."
AUTHORS = Source(
    "Deleveraging on Hyperliquid, 10 October 2025: waves, shocks and gaps by coin", "MIT",
    "tables of the authors of arXiv 2512.01112",
)  # fmt: skip
REBUILT = Source("Positions in BTC and SOL through the same event", "GPL-3.0", "13,031 positions, rebuilt from fills")
DRAWN = Source("Drawn holders", "Apache-2.0", "simulated: Pareto notional, log-normal leverage, this code's own")


class Deleveraging:
    """Pro rata, as this venue does it, against a queue by profit and leverage, as others do."""

    name = "deleveraging"
    title = "Pro rata or a queue"
    words = "When neither book nor backstop takes a bankrupt position: who gives up how much, and which hedges break?"
    worlds = False
    parameters: tuple[Parameter, ...] = (
        Parameter("hedged", "share of drawn holders with an opposite position in the group", "share", HEDGED, None),
        Parameter("wanted", "lots to take over, as a share of the open interest", "share", WANTED, None),
        Parameter("one_group", "whether BTC and SOL count as hedges of each other", "", (True, False), False),
    )

    def files(self, settings: Settings) -> Sequence[Path]:
        if settings.data_dir is None:
            return []
        return [data_file(settings, name) for name in FILES]

    def points(self, settings: Settings) -> Sequence[Point]:
        found: list[Point] = []
        if settings.data_dir is not None:
            found.append({"part": "waves"})
            found += [
                {"part": "split", "asset": asset, "one_group": one} for asset in ("BTC", "SOL") for one in (True, False)
            ]
        return found + [{"part": "drawn", "hedged": hedged, "wanted": wanted} for hedged in HEDGED for wanted in WANTED]

    def measure(self, settings: Settings, point: Point) -> Result:
        if point["part"] == "drawn":
            return drawn(point["hedged"], point["wanted"], settings.seed)
        assert settings.data_dir is not None  # such points are asked only with a folder
        if point["part"] == "waves":
            return waves(settings.data_dir)
        return split_of(settings.data_dir, point["asset"], point["one_group"], settings.seed)

    def page(self, settings: Settings, measured: Sequence[tuple[Point, Result]]) -> Page:
        found = {
            kind: [result for point, result in measured if point["part"] == kind]
            for kind in ("waves", "split", "drawn")
        }
        sections, answer, figures, sources = [], [], [], [DRAWN]
        if found["waves"]:
            event = found["waves"][0]
            answer += _answer_recorded(event, found["split"])
            figures += _figures(event)
            sections += [_waves(event), _coins(event), _winners(found["split"])]
            sources = [AUTHORS, REBUILT, DRAWN]
        answer.append(_answer_drawn(measured))
        sections.append(_drawn(measured))
        return Page(
            self.title, self.words, tuple(answer), command_of(self, settings), settings.seed, tuple(sources), version(),
            tuple(sections), tuple(figures), against=AGAINST + (() if found["waves"] else (NO_DATA,)),
            settings={"Holders drawn": HOLDERS, "Draws a point": DRAWS, "Orders of the queue": ORDERS},
        )  # fmt: skip


AGAINST = (
    "Against it: pro rata asks many holders for a little, so everybody in profit has a position that is no longer the "
    "one he chose; a queue asks few, who know their rank. And a hedge is seen only inside one market group of one "
    "account: "
    "with this venue's defaults, BTC against SOL is none.",
)


def drawn(hedged: float, wanted: float, seed: int) -> Result:
    """Both rules on drawn holders: means over `DRAWS` markets. Lots are dollars."""
    draw = np.random.Generator(np.random.Philox(key=[seed, round(1e6 * hedged) + round(1e3 * wanted)]))
    ours, theirs, closing = [], [], []
    for _ in range(DRAWS):
        members = population(hedged, draw)
        amount = round(wanted * sum(member.lots for member in members))
        ours.append(pro_rata(amount, members))
        theirs.append(queue(amount, members))
        closing.append(queue(amount, members, whole=True))
    hedges = float(np.mean([sum(min(one.hedge, one.lots) for one in population(hedged, draw)) for _ in range(DRAWS)]))
    return {"pro_rata": shown(*ours), "queue": shown(*theirs), "whole": shown(*closing), "hedges": hedges}


def population(hedged: float, draw: np.random.Generator) -> list[Member]:
    """Opposite holders of one market: notional Pareto (1.2) from 1,000 USD, leverage log-normal around 5, profit up to
    a third of notional, a third of them at a loss; the hedged hold half to all of it the other way."""
    notional = np.minimum(1_000.0 * (1.0 + draw.pareto(1.2, HOLDERS)), 50e6)
    leverage = np.clip(np.exp(np.log(5.0) + 0.9 * draw.standard_normal(HOLDERS)), 1.0, 50.0)
    gain = draw.uniform(-0.15, 0.3, HOLDERS)
    hedge = np.where(draw.random(HOLDERS) < hedged, draw.uniform(0.5, 1.0, HOLDERS), 0.0)
    return [
        Member(64 * (place + 1), round(lots), round(lots * share), round(lots * part), lots / times)
        for place, (lots, times, share, part) in enumerate(
            zip(notional.tolist(), leverage.tolist(), gain.tolist(), hedge.tolist(), strict=True)
        )
    ]


def _total(event: Result, name: str) -> float:
    return float(sum(wave[name] for wave in event["waves"]))


def _answer_recorded(event: Result, splits: Sequence[Result]) -> list[str]:
    needed, used, ours = (_total(event, name) for name in ("needed", "queue", "pro_rata"))
    left = sum(coin["left"] for coin in event["coins"])
    bitcoin = next(one for one in splits if one["asset"] == "BTC" and one["one_group"])
    hedged = sum(one["hedged"] for one in splits if one["one_group"])
    broken = sum(one["one_leg"] for one in splits if one["one_group"])
    share = bitcoin["amount"] / bitcoin["open"]
    return [
        f"On 10 October 2025 production took ${used / MILLION:.1f} M from winners where ${needed / MILLION:.1f} M were "
        f"needed: ${(used - needed) / MILLION:.1f} M too much. This venue's rule takes the bankrupt lots at the "
        f"zero price "
        f"and no others: ${ours / MILLION:.1f} M, and ${left / MILLION:.1f} M once the insurance fund has paid up "
        f"to each "
        "market's loss budget.",
        f"Of {bitcoin['holders']:,} BTC shorts in profit {bitcoin['deleveraged']:,} were deleveraged, "
        f"{bitcoin['gone']:,} "
        f"of them to nothing; shared out pro rata it is {100 * share:.0f} % of each. Of {hedged} holders of a "
        f"losing long in "
        f"the other asset {broken} lost the winning leg alone.",
    ]


def _answer_drawn(measured: Sequence[tuple[Point, Result]]) -> str:
    point = next(result for point, result in measured if point.get("hedged") == 0.5 and point.get("wanted") == 0.1)
    ours, theirs, whole = point["pro_rata"], point["queue"], point["whole"]
    over = whole["taken"] / theirs["taken"] - 1.0
    return (
        f"Drawn holders, half of them hedged, a tenth of the open interest to take over: the queue strips "
        f"{theirs['stripped']:.0f} hedges and takes everything from {theirs['wiped']:.0f} of {HOLDERS}; pro rata "
        f"strips "
        f"{ours['stripped']:.0f} and takes at most {100 * ours['most']:.0f} % from anybody. Closing whole "
        f"positions, as "
        f"queues do, closes {100 * over:.0f} % more than needed."
    )


def _figures(event: Result) -> list[Figure]:
    needed, used, ours = (_total(event, name) for name in ("needed", "queue", "pro_rata"))
    return [
        Figure("Production took too much", f"${(used - needed) / MILLION:.1f} M", "the authors report 45.0 to 51.7"),
        Figure("Needed", f"${needed / MILLION:.1f} M", "16 waves in ten minutes"),
        Figure("This rule takes", f"${ours / MILLION:.1f} M", f"beyond what is needed: ${abs(ours - needed):,.2f}"),
        Figure(
            "After the loss budgets", f"${sum(coin['left'] for coin in event['coins']) / MILLION:.1f} M",
            f"the fund pays ${event['covered'] / MILLION:.1f} M",
        ),
    ]  # fmt: skip


def _waves(event: Result) -> Section:
    names = [datetime.fromtimestamp(wave["time_ms"] / 1000, UTC).strftime("%H:%M:%S") for wave in event["waves"]]
    plot = bars(
        [Series(title, names, [wave[key] for wave in event["waves"]])
         for title, key in (("production's queue", "queue"), ("this venue's rule", "pro_rata"))],
        Axis("wave, UTC"), Axis("taken from winners, USD", format="$,.3s"),
        "What winners gave up, wave by wave: production, and the bankrupt lots at their zero prices.",
    )  # fmt: skip
    most = bars(
        [Series(title, names, [wave[key] for wave in event["waves"]])
         for title, key in (("production's queue", "most_queue"), ("pro rata by profit", "most_pro_rata"))],
        Axis("wave, UTC"), Axis("largest share of one winner's profit", format=".0%"),
        "The largest share of profit that any one winner lost (both as the authors computed them).",
    )  # fmt: skip
    columns = (
        Column("wave", "", 0), Column("begins", "UTC"), Column("deficit", "$", 0), Column("needed", "$", 0),
        Column("production took", "$", 0), Column("too much", "$", 0), Column("this rule takes", "$", 0),
    )  # fmt: skip
    rows = tuple(
        (
            wave["wave"],
            name,
            wave["deficit"],
            wave["needed"],
            wave["queue"],
            wave["queue"] - wave["needed"],
            wave["pro_rata"],
        )
        for wave, name in zip(event["waves"], names, strict=True)
    )
    total = ("all", "", None, *(_total(event, key) for key in ("needed", "queue")))
    last = (*total, _total(event, "queue") - _total(event, "needed"), _total(event, "pro_rata"))
    columns = (Column("wave"), *columns[1:])
    return Section(
        "The recorded waves",
        ("A deficit that lasts over several waves is in each of them, so deficits do not add up; what was needed "
         "does. In "
         "some waves production took less than was needed: later ones made up for it, four times over.",),
        (plot, most), (Table("waves", columns, (*rows, last), marked=len(rows)),),
    )  # fmt: skip


def _coins(event: Result) -> Section:
    columns = (Column("coin"), Column("winners give up", "$", 0), Column("loss budget", "$", 0), Column("left", "$", 0))
    rows = tuple((coin["coin"], coin["gap"], coin["budget"], coin["left"]) for coin in event["coins"])
    return Section(
        "By coin, and what the insurance fund would have paid",
        ("This venue pays debts from its fund first, up to each market's own budget, so that one market cannot "
         "spend what "
         f"belongs to the others. Filled for all {len(rows)} coins, the fund pays ${event['covered'] / MILLION:.1f} "
         f"M of "
         f"${_total(event, 'pro_rata') / MILLION:.1f} M.",),
        tables=(Table("coins", columns, rows),),
    )  # fmt: skip


def _winners(splits: Sequence[Result]) -> Section:
    columns = (
        Column("asset"), Column("hedges are seen"), Column("rule"), Column("taken", "$", 0), Column("hit", "", 0),
        Column("lost all of it", "", 0), Column("most from one", "%", 1), Column("hedges stripped", "", 0),
        Column("left naked", "$", 0),
    )  # fmt: skip
    rows: list[tuple[Any, ...]] = []
    for one in splits:
        if one["one_group"]:
            rows.append(
                (one["asset"], None, "recorded", None, one["deleveraged"], one["gone"], None, one["one_leg"], None)
            )
        for key, title in (("queue", "queue"), ("pro_rata", "this venue's")):
            if key == "queue" and not one["one_group"]:
                continue
            split = one[key]
            seen = one["one_group"] if key == "pro_rata" else None
            rows.append((one["asset"], seen, title, split["taken"], split["hit"], split["wiped"], 100 * split["most"],
                         split["stripped"], split["naked"]))  # fmt: skip
    return Section(
        "The winners of BTC and SOL",
        ("The recorded bankrupt lots, shared out among the recorded winners. Their lots are not in the data: they are "
         "profit over the fall since 20:50 UTC, as if all had sold there. Nor is leverage, by which queues rank: "
         "the queue "
         f"is the mean of {ORDERS} drawn orders. Recorded: holders deleveraged, of those the ones who kept nothing, "
         f"and "
         "hedged ones who lost the winning leg alone.",
         "By default BTC and SOL are in different groups of this venue, and a hedge between them is not seen: then "
         "pro rata "
         "strips hedges, too. In one group it strips none.",),
        tables=(Table("winners", columns, tuple(rows)),),
    )  # fmt: skip


def _drawn(measured: Sequence[tuple[Point, Result]]) -> Section:
    points = [(point, result) for point, result in measured if point["part"] == "drawn"]
    half = [(point, result) for point, result in points if point["hedged"] == 0.5]
    wanted = [100 * point["wanted"] for point, _ in half]
    titles = (("pro_rata", "this venue's rule"), ("queue", "queue"), ("whole", "queue of whole positions"))
    naked = lines(
        [Series(title, wanted, [result[key]["naked"] / result["hedges"] for _, result in half])
         for key, title in titles],
        Axis("lots to take over, % of open interest", log=True), Axis("share of hedges left naked", format=".0%"),
        "Hedges left naked, half of the holders hedged.",
    )  # fmt: skip
    most = lines(
        [Series(title, wanted, [result[key]["most"] for _, result in half]) for key, title in titles[:2]],
        Axis("lots to take over, % of open interest", log=True), Axis("largest share of a position", format=".0%"),
        "The most that anybody loses of his position.",
    )  # fmt: skip
    columns = (
        Column("hedged", "%", 0), Column("to take over", "%", 0), Column("rule"), Column("taken", "$", 0),
        Column("hit", "", 1),
        Column("lost all of it", "", 1), Column("most from one", "%", 1), Column("hedges stripped", "", 1),
        Column("left naked", "$", 0),
    )  # fmt: skip
    rows = tuple(
        (100 * point["hedged"], 100 * point["wanted"], title, result[key]["taken"], result[key]["hit"],
         result[key]["wiped"],
         100 * result[key]["most"], result[key]["stripped"], result[key]["naked"])
        for point, result in points for key, title in titles
    )  # fmt: skip
    return Section(
        "Drawn holders (simulated)",
        (f"{HOLDERS} holders, {DRAWS} draws a point. Both rules take the same lots at the same price, so their sum "
         f"is the "
         "same; what differs is from whom, and whether whole positions go.",),
        (naked, most), (Table("drawn", columns, rows),),
    )  # fmt: skip

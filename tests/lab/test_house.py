"""A portfolio at an exchange's own terms: of a live account, of a file, and what was found with either found again."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bulkhead.cli.main import app
from bulkhead.client import Exchange
from bulkhead.lab.choice.comparison import Setting, compare
from bulkhead.lab.choice.sample import initials_of, lots_of, venue_for
from bulkhead.lab.house import House, HouseError, house_in, house_of
from bulkhead.lab.portfolio import Holding, Portfolio, PortfolioError, kept, load_portfolio, with_collateral
from bulkhead.lab.venue import SIMULATED_KEYS
from bulkhead.ledger.defaults import MILLION, default_config
from bulkhead.node.records import GENESIS, RULES_VERSION, Genesis
from bulkhead.units import Felt, Fraction, Quote, TimeMs
from tests.api.live import Fixed, Live, settings_for
from tests.client.test_client import order, rich

HELD = Portfolio("pair", 8_000.0, (Holding("BTC", 0.6, 100_000.0), Holding("LTC", -300, 100.0)), "pair.toml")
SETTING = Setting(paths=400, days=2, broken_paths=0)


def house(times: int = 1, *, open_coins: float = 100.0) -> House:
    """The default venue's terms with every margin fraction so many times as large."""
    config = default_config(SIMULATED_KEYS, Felt(5))
    markets = tuple(
        terms._replace(
            tiers=tuple(
                tier._replace(
                    initial=Fraction(times * tier.initial), maintenance=Fraction(times * tier.maintenance),
                    close_out=Fraction(times * tier.close_out),
                )
                for tier in terms.tiers
            ),
            open_interest_lower=Quote(20 * MILLION), open_interest_upper=Quote(40 * MILLION),
        )
        for terms in config.markets
    )  # fmt: skip
    made = Genesis(RULES_VERSION, config._replace(markets=markets), TimeMs(1))
    return House("http://venue", GENESIS.encode(made).hex(), (("BTC", open_coins),))


def test_an_exchange_that_asks_more_liquidates_more() -> None:
    """Twice the margin: twice the initial requirement, and no fewer liquidations in any mode."""
    usual, strict = compare(HELD.at(house()), SETTING), compare(HELD.at(house(2)), SETTING)
    for mode in usual.modes:
        other = strict.mode(mode.name)
        if mode.name != "scenario":  # a grid of its own
            assert other.initial == pytest.approx(2 * mode.initial)
            assert other.any_liquidated.value > mode.any_liquidated.value
    assert "http://venue" in strict.terms and "default terms" in compare(HELD, SETTING).terms


def test_terms_that_are_the_default_venues_give_its_numbers() -> None:
    """Lots and tiers alike: the same liquidations to the last path as without a venue."""
    prices = {"BTC": 3_000.0, "LTC": 30.0}  # so that the lots of the default markets are those of these prices
    held = replace(HELD, holdings=tuple(replace(one, price=prices[one.symbol]) for one in HELD.holdings))
    here, there = compare(held, SETTING), compare(held.at(house()), SETTING)
    assert [one.any_liquidated for one in here.modes if one.name != "scenario"] == [
        one.any_liquidated for one in there.modes if one.name != "scenario"
    ]


def test_open_interest_raises_what_is_asked() -> None:
    """Half-way between the bounds of its open interest a market asks half of all; where it is unknown, nothing more."""
    low, raised = HELD.at(house()), HELD.at(house(open_coins=300.0))
    asked = [float(initials_of(venue_for(one), lots_of(venue_for(one), one))[0]) for one in (low, raised)]
    assert asked[0] == pytest.approx(60_000 * 0.02)
    assert asked[1] == pytest.approx(60_000 * (0.02 + 0.5 * 0.98), rel=1e-6)


def test_what_was_judged_is_kept_with_its_terms(tmp_path: Path) -> None:
    """Another amount, or another venue: a file has exactly that, whatever became of the exchange."""
    held = with_collateral(replace(HELD, name='p "ü"', holdings=(replace(HELD.holdings[0], strategy="a"),)), 7_000.5)
    written = kept(held.at(house(2)), tmp_path)
    again = load_portfolio(Path(written.file))
    assert (again.name, again.collateral, again.holdings, again.house) == (held.name, 7_000.5, held.holdings, house(2))
    assert kept(again, tmp_path) is again
    assert kept(replace(HELD, file="pair.toml"), tmp_path).file == "pair.toml"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "does not keep an exchange's terms"),
        ("[]", "does not keep an exchange's terms"),
        ('{"format": "other"}', "a file of 'other'"),
        ('{"format": "bulkhead-house-1", "interest": {}, "source": "s", "genesis": "zz"}', "genesis is none"),
        ('{"format": "bulkhead-house-1", "interest": {}, "source": "s", "genesis": "00"}', "genesis is none"),
        ('{"format": "bulkhead-house-1", "interest": {"BTC": NaN}, "source": "s", "genesis": "GOOD"}', "of BTC"),
    ],
)
def test_bad_terms_are_named(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "terms.json"
    file.write_text(text.replace("GOOD", house().genesis))
    with pytest.raises(HouseError, match=problem):
        house_in(file)
    held = tmp_path / "held.toml"
    row = '[[positions]]\nmarket = "BTC"\nsize = 1\nprice = 2\n'
    held.write_text(f'collateral = 5\nvenue = "terms.json"\n{row}')
    with pytest.raises(PortfolioError, match=f"held.toml: venue: .*{problem}"):
        load_portfolio(held)


def test_a_market_that_an_exchange_does_not_have_is_named() -> None:
    with pytest.raises(PortfolioError, match=r"pair.toml: position 2: unknown market 'SUI' at http://venue; there are"):
        replace(HELD, holdings=(HELD.holdings[0], Holding("SUI", 1, 2.0))).at(house())
    with pytest.raises(HouseError, match=r"none.json: cannot be read"):
        house_in(Path("none.json"))


# -- a running exchange ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    running = Live(settings_for(tmp_path_factory.mktemp("node")), Fixed())
    yield running
    running.stop()


def test_a_live_account_is_judged_by_its_own_exchange(
    live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the command line: its markets and terms, what it requires there, and its findings again."""
    monkeypatch.setenv("BULKHEAD_CACHE", str(tmp_path))

    async def trade() -> tuple[str, float, House]:
        async with Exchange(live.url) as exchange:
            maker, taker = await rich(exchange, 91), await rich(exchange, 92)
            await maker.place(order("SELL", "0.5", "60000", post_only=True))
            await taker.take("BTC-USD", "BUY", "0.5")
            return taker.api_key, float((await taker.balance()).equity), await house_of(exchange)

    api_key, equity, terms = asyncio.run(trade())
    assert dict(terms.interest)["BTC"] == 0.5 and terms.config.chain_id == settings_for(tmp_path).venue.chain_id
    words = [live.url, "--api-key", api_key, "--collateral", "2500", "--paths", "200", "--days", "1"]
    done = CliRunner().invoke(app, ["lab", "compare", *words, "--broken-paths", "0", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert live.url in told["terms"] and told["collateral"] == 2_500 and told["positions"] == [["BTC", 0.5, 60_000.0]]
    assert told["modes"][0]["initial"] == pytest.approx(30_000 * int(terms.markets["BTC"].tiers[0].initial) / 2**32)
    again = CliRunner().invoke(app, [*shlex.split(told["findings"][0]["command"])[1:], "--json"])
    assert again.exit_code == 0, again.output
    [account] = json.loads(again.stdout)["accounts"]["cross"]
    lost = 2_500 - account["equity at the end"]
    assert f"loses {lost:,.0f} USD" in told["findings"][0]["what"]
    asked = CliRunner().invoke(app, ["lab", "checklist", *words, "--json"])
    assert asked.exit_code == 0 and live.url in json.loads(asked.stdout)["answers"][0]["source"], asked.output
    live_one = CliRunner().invoke(app, ["lab", "compare", *words[:3], "--paths", "100", "--days", "0.1", "--json"])
    assert json.loads(live_one.stdout)["collateral"] == pytest.approx(equity)
    nobody = CliRunner().invoke(app, ["lab", "compare", live.url, "--api-key", "wrong"])
    assert nobody.exit_code == 1 and re.search("401|API key|key", nobody.output), nobody.output


def test_a_file_is_judged_by_a_named_exchange(live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULKHEAD_CACHE", str(tmp_path))
    words = ["lab", "stress", "examples/portfolios/swing_trader.toml", "--paths", "2", "--days", "0.5", "--json"]
    done = CliRunner().invoke(app, [*words, "--venue", live.url])
    assert done.exit_code == 0 and live.url in json.loads(done.stdout)["terms"], done.output

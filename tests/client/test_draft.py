"""Drafts of parameters: what may be changed, how it reads, what is refused by name, and that nothing is applied."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from bulkhead.client.draft import Draft, DraftError, config_of, digest_of, parameters
from bulkhead.fixed import fraction
from bulkhead.ledger.defaults import default_config
from bulkhead.node.records import GENESIS, Genesis
from bulkhead.node.replay import RULES_VERSION
from bulkhead.units import TimeMs

CONFIG = default_config((7, 8, 9), 11)
TIER = "BTC-USD.tier1.maintenance"


def drafted(*changes: tuple[str, str]) -> Draft:
    draft = Draft.of(CONFIG)
    for path, text in changes:
        draft.change(CONFIG, path, text)
    return draft


def test_a_genesis_tells_every_parameter_in_its_unit() -> None:
    config = config_of(GENESIS.encode(Genesis(RULES_VERSION, CONFIG, TimeMs(1))))
    assert config == CONFIG
    known = parameters(config)
    assert known["venue.profit_lock"].value == 10 and known["venue.l1_charge"].value == Decimal("0.02")
    tier = CONFIG.markets[0].tiers[0]
    assert abs(known[TIER].value / 100 - Decimal(int(tier.maintenance)) / (1 << 32)) < Decimal("1e-8")
    with pytest.raises(DraftError, match="cannot be read"):
        config_of(b"nothing")


def test_a_draft_makes_the_configuration_that_it_describes_and_leaves_the_old_one() -> None:
    before = digest_of(CONFIG)
    draft = drafted((TIER, "1.1"), ("venue.l1_charge", "0.03"), ("ETH-USD.price_age_max_ms", "45000"))
    made = draft.applied(CONFIG)
    assert made.markets[0].tiers[0].maintenance == fraction(11, 1_000)
    assert int(made.l1_charge) == 30_000 and made.markets[1].price_age_max_ms == 45_000
    assert made.markets[2:] == CONFIG.markets[2:] and digest_of(CONFIG) == before != digest_of(made)
    assert [one.path for one, _ in draft.difference(CONFIG)] == [TIER, "ETH-USD.price_age_max_ms", "venue.l1_charge"]
    draft.change(CONFIG, TIER, str(parameters(CONFIG)[TIER].value))
    assert TIER not in draft.changes, "its own value takes the change back"


def test_a_draft_is_a_file_that_says_what_l1_would_pin() -> None:
    draft = drafted((TIER, "1.1"))
    draft.note = "after the crash"
    text = draft.to_json(CONFIG)
    body = json.loads(text)
    assert body["result"] == digest_of(draft.applied(CONFIG)) and body["base"] == digest_of(CONFIG)
    assert Draft.from_json(text) == draft
    other = default_config((7, 8, 10), 11)
    with pytest.raises(DraftError, match="draft it anew"):
        draft.applied(other)
    for bad in ("", "[]", '{"format": "x"}', text.replace('"1.1"', '"NaN"')):
        with pytest.raises(DraftError):
            Draft.from_json(bad)


@pytest.mark.parametrize(
    ("path", "text", "problem"),
    [
        ("BTC-USD.nothing", "1", "no such parameter"),
        (TIER, "much", "is no number"),
        (TIER, "NaN", "is no number"),
        ("venue.l1_charge", "0.0000001", "six places"),
        (TIER, "0.0000001", "six places"),
        ("ETH-USD.price_age_max_ms", "1.5", "whole number"),
        ("venue.l1_charge", "1e40", "too large"),
    ],
)
def test_an_entry_that_is_no_value_is_refused_by_name(path: str, text: str, problem: str) -> None:
    with pytest.raises(DraftError, match=problem) as refused:
        drafted((path, text))
    assert path in str(refused.value)


@pytest.mark.parametrize(
    ("path", "text", "problem"),
    [
        (TIER, "0", "BTC-USD: tier 1: fractions must be"),
        ("BTC-USD.slippage", "0", "BTC-USD: slippage must be above zero"),
        ("venue.liquidation_target", "90", "above 100 %"),
        ("venue.profit_lock", "101", "0 to 100 %"),
        ("venue.filled_orders_max", "0", "not be below 1"),
    ],
)
def test_a_configuration_that_no_venue_may_run_on_is_refused(path: str, text: str, problem: str) -> None:
    with pytest.raises(DraftError, match=problem):
        drafted((path, text)).applied(CONFIG)

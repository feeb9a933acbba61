"""Ticks: index prices from signed reports, funding from committed samples, market status, restarts."""

from __future__ import annotations

from bulkhead.fixed import ONE
from bulkhead.ledger.accounts import check_price
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.config import FEED_OF_ASSET
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.receipt import Done, Funded, Ticked
from bulkhead.ledger.state import rescaled
from bulkhead.ledger.tx import FundingTick, OracleReport, OracleTick, Restart, StatusChange
from bulkhead.limits import FUNDING_INDEX_LIMIT, NOTIONAL_WORTH_LIMIT
from bulkhead.reject import Reject
from bulkhead.rules import funding, prices
from bulkhead.units import AssetId, Fraction, FundingIndex, MarketId, Price, TimeMs

REPORT_AGE_MAX_MS = 60_000
FUNDING_PERIOD_MS = 3_600_000
SAMPLE_LIMIT = int(ONE)  # a premium of 100 %


def oracle_tick(draft: Draft, tx: OracleTick, authority: Authority) -> Reject | Ticked:
    """Median of a quorum of signed vectors with the same, consecutive sequence number.

    A feed that jumps too far or reads zero keeps its old price and grows stale by itself: one wrong feed
    stops its market, not the venue. A tick that moves no feed at all is rejected. A report with a price beyond the
    width of prices is none: below zero and near the prime it would be signed by one hash, and have two medians.
    """
    problem = _check_reports(draft, tx, authority)
    if problem is not None:
        return problem
    # A tick is as old as its oldest report: what is asked for after that was asked without knowing the prices.
    signed_ms = min(report.time_ms for report in tx.reports)
    accepted: list[tuple[int, Price]] = []
    refused: list[tuple[int, Reject]] = []
    for place, (feed, _) in enumerate(tx.reports[0].prices):
        price = prices.median([report.prices[place][1] for report in tx.reports])
        problem = _accept(draft, feed, price, signed_ms)
        if problem is None:
            accepted.append((feed, price))
        else:
            refused.append((feed, problem))
    if not accepted:
        return refused[0][1]
    draft.oracle = draft.oracle._replace(sequence=tx.reports[0].sequence, time_ms=signed_ms)
    return Ticked(tuple(accepted), tuple(refused))


def feeds(draft: Draft) -> list[int]:
    """Feeds every report must carry, rising: the markets, then the prices of other collateral."""
    others = [FEED_OF_ASSET + asset.asset_id for asset in draft.config.assets if not asset.is_settlement]
    return sorted(draft.terms) + sorted(others)


def _check_reports(draft: Draft, tx: OracleTick, authority: Authority) -> Reject | None:
    keys = draft.config.oracle_keys
    if len(tx.reports) < prices.quorum(len(keys)):
        return Reject.QUORUM_MISSING
    expected = feeds(draft)
    last = -1
    for report in tx.reports:
        if not last < report.signer < len(keys):
            return Reject.DUPLICATE if report.signer <= last else Reject.WRONG_KEY
        last = report.signer
        if [feed for feed, _ in report.prices] != expected:
            return Reject.UNKNOWN_MARKET
        if any(int(price) and not prices.is_in_range(price) for _, price in report.prices):
            return Reject.OUT_OF_RANGE
        if report.sequence != draft.oracle.sequence + 1:
            return Reject.SEQUENCE_GAP
        if report.time_ms <= draft.oracle.time_ms and draft.oracle.sequence:
            return Reject.CLOCK_WENT_BACK
        if not 0 <= draft.time_ms - report.time_ms <= REPORT_AGE_MAX_MS:
            return Reject.PRICE_STALE
    return _check_signatures(tx.reports, draft, authority)


def _check_signatures(reports: tuple[OracleReport, ...], draft: Draft, authority: Authority) -> Reject | None:
    for report in reports:
        key = draft.config.oracle_keys[report.signer]
        if not authority.is_signed(key, authority.report_hash(report, key), report.signature):
            return Reject.WRONG_SIGNATURE
    return None


def _accept(draft: Draft, feed: int, price: Price, signed_ms: TimeMs) -> Reject | None:
    """Store one feed's price, or say why it keeps its old one."""
    if int(price) == 0:
        return Reject.PRICE_IS_ZERO
    if feed >= FEED_OF_ASSET:
        return _accept_collateral(draft, AssetId(feed - FEED_OF_ASSET), price, signed_ms)
    market = draft.market(feed)
    if int(market.open_interest * price) >= NOTIONAL_WORTH_LIMIT:
        return Reject.OUT_OF_RANGE  # no position's notional may outgrow its width
    elapsed = signed_ms - market.price_ms
    if int(market.price) and not prices.is_step_allowed(market.price, price, elapsed, draft.terms[feed].price_step):
        return Reject.PRICE_STEP_TOO_LARGE
    draft.put_market(rescaled(draft.state, market._replace(price=price, price_ms=signed_ms)))
    return None


def _accept_collateral(draft: Draft, asset_id: AssetId, price: Price, signed_ms: TimeMs) -> Reject | None:
    terms = draft.config.asset(asset_id)
    assert terms is not None  # the feed list was compared with the configuration
    for held, old, time_ms in draft.oracle.collateral:
        if held == asset_id and not prices.is_step_allowed(old, price, signed_ms - time_ms, terms.price_step):
            return Reject.PRICE_STEP_TOO_LARGE
    others = [entry for entry in draft.oracle.collateral if entry[0] != asset_id]
    others.append((asset_id, price, signed_ms))
    draft.oracle = draft.oracle._replace(collateral=tuple(sorted(others)))
    return None


def funding_tick(draft: Draft, tx: FundingTick) -> Reject | Funded:
    """Move each market's funding index by index price · hourly rate of its committed samples.

    Once an hour at a fresh price; a market with under 45 samples is not charged. Accounts pay when touched.
    """
    if not tx.samples:
        return Reject.TOO_FEW_SAMPLES
    moved: list[tuple[MarketId, FundingIndex]] = []
    refused: list[tuple[MarketId, Reject]] = []
    last = 0
    for market_id, samples in tx.samples:
        if market_id not in draft.terms:
            return Reject.UNKNOWN_MARKET
        if market_id <= last:
            return Reject.DUPLICATE
        last = market_id
        if len(samples) > funding.SAMPLES_PER_HOUR or any(abs(int(sample)) >= SAMPLE_LIMIT for sample in samples):
            return Reject.OUT_OF_RANGE
        index = _fund(draft, market_id, samples)
        if isinstance(index, Reject):
            refused.append((market_id, index))
        else:
            moved.append((market_id, index))
    if not moved:
        return refused[0][1]
    return Funded(tuple(moved), tuple(refused))


def _fund(draft: Draft, market_id: MarketId, samples: tuple[Fraction, ...]) -> FundingIndex | Reject:
    market, terms = draft.market(market_id), draft.terms[market_id]
    if draft.time_ms - market.funding_ms < FUNDING_PERIOD_MS:
        return Reject.FUNDING_NOT_DUE
    if len(samples) < funding.SAMPLES_MIN:
        return Reject.TOO_FEW_SAMPLES
    problem = check_price(draft, market_id)
    if problem is not None:
        return problem
    rate = funding.hourly_rate(samples, terms.funding_interest, terms.funding_cap)
    index = market.funding_index + funding.step(market.price, rate)
    if abs(int(index)) >= FUNDING_INDEX_LIMIT:
        return Reject.FUNDING_STEP_TOO_LARGE
    draft.put_market(market._replace(funding_index=index, funding_ms=draft.time_ms))
    return index


def status_change(draft: Draft, tx: StatusChange) -> Reject | Done:
    """What a market allows from now on."""
    if tx.market_id not in draft.terms:
        return Reject.UNKNOWN_MARKET
    draft.put_market(draft.market(tx.market_id)._replace(status=tx.status))
    return Done()


def restart(draft: Draft, tx: Restart) -> Done:
    """Nothing is liquidated on prices from before this moment."""
    draft.counters = draft.counters._replace(fresh_after_ms=TimeMs(tx.time_ms))
    return Done()

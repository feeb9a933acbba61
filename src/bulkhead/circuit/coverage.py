"""What a proof covers: every transaction of the ledger, and everything else a trader relies on, with how it stands.

`docs/security.md` is made from this. A transaction that is missing here, or one that is called proven without rows
that prove it, fails a test.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from bulkhead.ledger import tx


class Standing(StrEnum):
    """How far a rule is out of the operator's hands."""

    PROVEN = "proven"
    IN_PART = "proven in part"
    NOT_YET = "not proven yet"
    CANNOT = "cannot be proven"


class Cover(NamedTuple):
    """A rule, how it stands, and what that means."""

    rule: str
    standing: Standing
    meaning: str


def _covers(standing: Standing, meanings: dict[type, str]) -> dict[type, Cover]:
    return {kind: Cover(kind.__name__, standing, meaning) for kind, meaning in meanings.items()}


TRANSACTIONS: dict[type, Cover] = _covers(Standing.PROVEN, {
    tx.Register: "a free number that signs, the owner's signature; a strategy's parent has the same key",
    tx.Configure: "signature, rising nonce, mode, leverage and cap in range; no position where the mode changes; what "
                  "another leverage asks is there at fresh prices",
    tx.Deposit: "the next of L1's queue, credited once to an account that signs, within custody's cap",
    tx.FundDeposit: "the next of L1's queue, into the insurance fund",
    tx.Refund: "a deposit that no account can be credited with goes back to its depositor; that there is none is shown",
    tx.Withdrawal: "signature, expiry, replay, initial requirement and profit lock at fresh prices, custody, payee",
    tx.Transfer: "as a withdrawal; the target is another account that signs",
    tx.Trade: "both signatures, expiry, limit price, fee cap, lots left; market status and fresh index; where "
              "each side settles, margin in and out of an isolated child; healthy or healthier; open interest, its cap "
              "and the fractions it moves; fees, rebates and the share of L1",
    tx.OracleTick: "a quorum's signatures over one numbered vector, ages, the median, the step bound; what is refused",
    tx.StatusChange: "one of the five, by the operator's word",
    tx.Restart: "no liquidation on prices from before it",
}) | _covers(Standing.IN_PART, {
    tx.Move: "simple ones (`ledger.move.is_simple`), the only ones that a venue with proofs takes: signature, nonce, "
             "legs, choices, both accounts judged, the profit lock",
    tx.FundingTick: "the hour, the rate from 45 to 60 samples in range, clamps, the step. What the samples were is the "
                    "operator's word: nothing commits to them before",
    tx.Liquidation: "eligible at fresh prices since the last restart, the pause, no flip, the zero price, charges, no "
                    "more than the minimal amount unless below close-out. Which position goes first is not",
    tx.Backstop: "below close-out, the debt paid first, the zero price, the backstop's margin and the loss budget",
    tx.Deleveraging: "only what the backstop cannot take, at the zero price, from opposite positions, none turned "
                     "over, in total. Who gives up how much is not",
    tx.ForcedWithdrawal: "in the order of L1's queue, after a later tick and while it is young; done, or shown to "
                         "fail by a named condition",
    tx.ForcedClose: "in the order of L1's queue, after a later tick and while it is young, at the index less the "
                    "charge; done, or shown to fail. Who takes what the backstop cannot is not",
}) | _covers(Standing.NOT_YET, {
    tx.TopUp: "switched off on a venue that settles with proofs (`top_up`): nothing is due",
    tx.CollateralSale: "switched off with other collateral on a venue that settles with proofs (`other_collateral`)",
})  # fmt: skip

# Every function of `bulkhead.rules`, by module: what proves it, or why nothing does.
RULES: dict[str, dict[str, Cover]] = {
    module: {name: Cover(f"{module}.{name}", standing, meaning) for name, standing, meaning in rules}
    for module, rules in {
        "margin": [
            ("health", Standing.PROVEN, "circuit/accounts.py sums it, circuit/margin.py asks it of a position"),
            ("row_of", Standing.PROVEN, "the tier is shown from both sides"),
            ("maintenance_of", Standing.PROVEN, ""), ("initial_of", Standing.PROVEN, ""),
            ("leverage_floor", Standing.PROVEN, "looked up by leverage"),
            ("is_allowed", Standing.PROVEN, ""), ("is_healthier", Standing.PROVEN, ""),
            ("only_shrinks", Standing.PROVEN, "of the one position that a step changes"),
            ("withdrawal_floor", Standing.PROVEN, ""), ("shortfall", Standing.PROVEN, ""),
            ("surplus", Standing.PROVEN, ""), ("fill_value", Standing.PROVEN, ""),
            ("haircut_worth", Standing.NOT_YET, "other collateral is switched off"),
            ("liquidation_price", Standing.NOT_YET, "for screens; what it follows from is proven"),
        ],
        "terms": [
            ("open_interest_scale", Standing.PROVEN, ""), ("risk_of", Standing.PROVEN, ""),
            ("check_terms", Standing.PROVEN, "of the configuration, which is part of the key"),
        ],
        "funding": [
            ("owed", Standing.PROVEN, ""), ("settle", Standing.PROVEN, ""), ("step", Standing.PROVEN, ""),
            ("clamp", Standing.PROVEN, ""), ("hourly_rate", Standing.PROVEN, "of the samples' number and sum"),
            ("premium", Standing.CANNOT, "a sample is of a book that only the operator sees"),
            ("payment_of", Standing.NOT_YET, "for statements of one position; accounts settle one sum"),
        ],
        "fees": [
            ("cap", Standing.PROVEN, "the signed one"), ("split", Standing.PROVEN, ""),
            ("fee", Standing.NOT_YET, "which tier a trader has is the engine's book-keeping; the signed cap holds"),
            ("tier_of", Standing.NOT_YET, "as `fee`"), ("rate", Standing.NOT_YET, "as `fee`"),
            ("within_cap", Standing.NOT_YET, "as `fee`"),
        ],
        "prices": [
            ("quorum", Standing.PROVEN, ""), ("median", Standing.PROVEN, ""), ("is_step_allowed", Standing.PROVEN, ""),
            ("is_in_range", Standing.PROVEN, ""), ("is_fresh", Standing.PROVEN, ""),
            ("band", Standing.NOT_YET, "measured from the mark, which the ledger does not know"),
            ("basis", Standing.CANNOT, "of a book that only the operator sees"),
            ("basis_average", Standing.CANNOT, "as `basis`"), ("mark", Standing.CANNOT, "as `basis`"),
        ],
        "liquidation": [
            ("is_cooling_down", Standing.PROVEN, ""), ("zero_price", Standing.PROVEN, ""),
            ("linear_zero_price", Standing.PROVEN, ""), ("charges", Standing.PROVEN, ""),
            ("reaches_target", Standing.PROVEN, ""), ("value_after", Standing.PROVEN, ""),
            ("step_size", Standing.PROVEN, "no more than it"), ("minimal_size", Standing.PROVEN, "no more than it"),
            ("kinks_of", Standing.PROVEN, "by the tiers on both sides of the last lot"),
            ("choose", Standing.NOT_YET, "any position of an eligible account could be reduced first"),
        ],
        "deleveraging": [
            ("profit", Standing.NOT_YET, "whom it ranks is not proven"),
            ("unhedged_size", Standing.NOT_YET, "as `profit`"), ("pro_rata", Standing.NOT_YET, "as `profit`"),
            ("shares", Standing.NOT_YET, "that they add up, and turn nobody over, is proven"),
            ("rank", Standing.NOT_YET, "for screens"),
        ],
        "scenario": [
            (name, Standing.NOT_YET, "scenario accounts are switched off")
            for name in ("exposures", "health", "requirement", "shock_loss", "sides_of", "slice_size", "worst",
                         "worst_requirement")
        ],
        "grid": [
            (name, Standing.NOT_YET, "scenario accounts are switched off")
            for name in ("check_grid", "default_grid", "signed_percent")
        ],
    }.items()
}  # fmt: skip

STATE = (
    Cover("State commitment", Standing.PROVEN, "S before and after, and all it is made of; no part is a free witness"),
    Cover("Order of transactions", Standing.PROVEN, "each takes the place that the one before left; time never falls"),
    Cover("Accounts, money", Standing.PROVEN, "what is untouched stays"),
    Cover(
        "Filled orders", Standing.PROVEN,
        "none fills twice, in no batch; what has expired leaves the lists that a batch touches, and nothing else goes",
    ),
    Cover(
        "Room for filled orders", Standing.NOT_YET,
        "a full table or list refuses an order in the ledger; a proof does not say how full it was",
    ),
    Cover(
        "Data availability", Standing.PROVEN,
        "every changed word is on a page of calldata; the statement has the page's digest, the proof its words",
    ),
    Cover("Deposits and payments", Standing.PROVEN, "the contract compares them with its queue, in order and in full"),
)

OUTSIDE = (
    Cover(
        "Order of arrival", Standing.CANNOT,
        "nobody but the operator sees when a command reaches it; receipts make it accountable",
    ),
    Cover(
        "Price and time priority", Standing.NOT_YET,
        "matching is off chain: signed limits bound what it can do to an order",
    ),
    Cover("Truth of the oracle", Standing.CANNOT, "a proof can show who signed a price, not that it was the market's"),
    Cover(
        "Which position is liquidated first, who is deleveraged", Standing.NOT_YET,
        "the ledger's rule; witnesses are published",
    ),
    Cover(
        "Scenario margin", Standing.NOT_YET,
        "refused by name on a venue that settles with proofs (`scenario_accounts`)",
    ),
    Cover(
        "Censorship", Standing.CANNOT,
        "a proof cannot say what was left out. L1 queues forced requests, and when one is overdue anybody may freeze, "
        "prove what every account is worth, and claim",
    ),
    Cover(
        "Upgrades", Standing.CANNOT,
        "who may change what is proven: a council, after 21 days in which whoever asks to leave is out or it is frozen",
    ),
)  # fmt: skip

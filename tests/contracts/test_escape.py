"""After a freeze: proven statements in order, one haircut for all, and each payout claimed once."""

from __future__ import annotations

import pytest

from bulkhead.bridge.payouts import PayoutTree
from bulkhead.circuit.escape_batch import NOBODY_LEFT, USUAL, Payout, escape_module, payouts_of
from stark.keccak import keccak256
from tests.contracts.bridge import OWNERS, STRANGER, number_of
from tests.contracts.escape import FINAL, FIRST, MAKER, MIDDLE, OTHER, SHAPE, TAKER, Exit, proven
from tests.contracts.machine import Machine, Reverted, compiled, word

ONE, TWO, THREE = (number_of(owner) for owner in OWNERS)


@pytest.fixture
def chain(machine: Machine) -> Exit:
    """Frozen, with 100 units for the accounts."""
    return frozen(machine)


def frozen(machine: Machine | None = None) -> Exit:
    """The same, in a machine of its own."""
    made = Exit(machine=machine)
    made.freeze(100)
    return made


def refuses(chain: Exit, said: list[int], reason: str) -> None:
    """A statement is refused by name, and nothing is noted."""
    before = [chain.number(chain.escape, name) for name in ("accounts", "chunks", "total", "is_finished")]
    with pytest.raises(Reverted) as refused:
        chain.give(said)
    assert str(refused.value) == reason
    assert before == [chain.number(chain.escape, name) for name in ("accounts", "chunks", "total", "is_finished")]


def settled(chain: Exit, *amounts: int) -> list[list[int]]:
    """Three payouts in two statements."""
    said = [
        chain.said(FIRST, MIDDLE, [Payout(64, ONE, amounts[0]), Payout(64, TWO, amounts[1])]),
        chain.said(MIDDLE, NOBODY_LEFT, [Payout(64, ONE, amounts[2])]),
    ]
    for each in said:
        chain.give(each)
    return said


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"state": FINAL + 1}, "escape: another state"),
        ({"accounts_start": MIDDLE}, "escape: another root"),
        ({"accounts_before": MIDDLE}, "escape: another root"),
        ({"accounts_before": NOBODY_LEFT}, "escape: another root"),
        ({"accounts_after": FIRST}, "escape: nothing settled"),
        ({"used_0": 2}, "escape: used or not"),
        ({"used_0": 2**255}, "escape: used or not"),
        ({"used_0": 0}, "escape: unused, but not empty"),
        ({"account_1": 1}, "escape: unused, but not empty"),
        ({"owner_1": 1}, "escape: unused, but not empty"),
        ({"amount_1": 1}, "escape: unused, but not empty"),
    ],
)
def test_a_statement_that_does_not_fit_is_refused_by_name(chain: Exit, changed: dict[str, int], reason: str) -> None:
    refuses(chain, chain.said(FIRST, MIDDLE, [Payout(64, ONE, 5)], **changed), reason)


def test_statements_follow_each_other(chain: Exit) -> None:
    first = chain.said(FIRST, MIDDLE, [Payout(64, ONE, 60)])
    second = chain.said(MIDDLE, NOBODY_LEFT, [Payout(64, TWO, 40)])
    refuses(chain, second, "escape: another root")
    chain.give(first)
    refuses(chain, first, "escape: another root")
    with pytest.raises(Reverted, match="escape: not finished"):
        chain.claim(0, first, 0)
    chain.give(second)
    for said in (first, second, chain.said(NOBODY_LEFT, NOBODY_LEFT, [])):
        refuses(chain, said, "escape: finished")
    assert [chain.number(chain.escape, name) for name in ("total", "backing", "chunks")] == [100, 100, 2]


def test_nothing_is_settled_before_a_freeze_or_without_a_proof() -> None:
    chain = Exit()
    chain.head = chain.head._replace(state=FINAL)
    refuses(chain, chain.said(FIRST, MIDDLE, [], state=chain.number(chain.rollup, "state")), "escape: not frozen")
    no = chain.machine.deploy(bytes.fromhex("600a600c600039600a6000f3600060005260206000f3"))
    code = compiled("Escape", "", "", escape_module(SHAPE))
    chain.escape = chain.place(code, [number_of(chain.custody), number_of(no)])
    refuses(chain, chain.said(FIRST, MIDDLE, []), "escape: not proven")


def test_a_venue_without_accounts_is_finished_at_once(chain: Exit) -> None:
    chain.give(chain.said(NOBODY_LEFT, NOBODY_LEFT, [], accounts_start=NOBODY_LEFT))
    assert chain.number(chain.escape, "is_finished") == 1


def test_an_escape_that_the_rollup_does_not_name_releases_nothing(chain: Exit) -> None:
    code = compiled("Escape", "", "", escape_module(SHAPE))
    chain.escape = chain.place(code, [number_of(chain.custody), number_of(chain.verifier)])
    said = settled(chain, 10, 20, 30)
    with pytest.raises(Reverted, match="rollup: not the escape"):
        chain.claim(0, said[0], 0)


def test_each_payout_is_claimed_once_by_its_path(chain: Exit) -> None:
    said = settled(chain, 10, 20, 0)
    for changed, reason in (
        ({"chunk": 1}, "path"), ({"chunk": 2}, "no such payout"), ({"place": 0}, "path"),
        ({"place": 2}, "no such payout"), ({"place": 2**255}, "no such payout"), ({"owner": ONE}, "path"),
        ({"amount": 21}, "path"),
    ):  # fmt: skip
        with pytest.raises(Reverted, match=f"^escape: {reason}$"):
            chain.claim(0, said[0], 1, **changed)
    chain.claim(0, said[0], 1)
    with pytest.raises(Reverted, match="^escape: claimed$"):
        chain.claim(0, said[0], 1)
    assert chain.number(chain.custody, "claimable", TWO) == 20
    with pytest.raises(Reverted, match="^escape: nothing to claim$"):
        chain.claim(1, said[1], 0)
    with pytest.raises(Reverted, match="^escape: nobody$"):
        chain.claim(1, said[1], 1)  # an unused place


@pytest.mark.parametrize("owner", [0, 2**160, 2**160 + ONE])
def test_what_is_nobodys_stays(chain: Exit, owner: int) -> None:
    """An account without an owner on L1, and words that are no address: they hold up nobody else."""
    said = chain.said(FIRST, NOBODY_LEFT, [Payout(64, owner, 10**6), Payout(64, ONE, 97)])
    chain.give(said)
    assert chain.number(chain.escape, "total") == 97  # they take nothing from others either
    with pytest.raises(Reverted, match="^escape: nobody$"):
        chain.claim(0, said, 0)
    chain.claim(0, said, 1)
    assert chain.number(chain.custody, "claimable", ONE) == 97


@pytest.mark.parametrize("amounts", [(50, 30, 20), (50, 30, 19), (51, 30, 20), (3000, 20001, 77), (2**100, 1, 2**70)])
def test_claims_never_exceed_what_backs_them(chain: Exit, amounts: tuple[int, int, int]) -> None:
    """All of it where it is there; else the same share for all, rounded down, and less than a unit each is left."""
    said = settled(chain, *amounts)
    total = sum(amounts)
    expected = [min(amount, amount * 100 // total) for amount in amounts]
    paid = {ONE: 0, TWO: 0}
    for (chunk, place), owner, owed in zip(((0, 0), (0, 1), (1, 0)), (ONE, TWO, ONE), expected, strict=True):
        if owed:
            chain.claim(chunk, said[chunk], place)
            paid[owner] += owed
        else:
            with pytest.raises(Reverted, match="escape: nothing to claim"):
                chain.claim(chunk, said[chunk], place)
        assert chain.number(chain.custody, "claimable", owner) == paid[owner]
    left = chain.number(chain.custody, "backing")
    assert left == 100 - sum(expected) and (total <= 100 or left < len(amounts))
    for owner in (ONE, TWO):
        if paid[owner]:
            chain.call(chain.custody, "claim", [owner], sender=STRANGER)
    assert chain.balance(chain.custody) == left


def test_followers_are_told() -> None:
    chain = frozen()
    chain.give(chain.said(FIRST, NOBODY_LEFT, [Payout(64, ONE, 200)]))
    first, last = chain.evm.result.logs
    assert first.topics == ["0x" + each.hex() for each in (keccak256(b"Settled(uint256,uint256,uint256)"), word(0))]
    assert first.data[1] == word(NOBODY_LEFT) + word(200)
    assert last.topics == ["0x" + keccak256(b"Finished(uint256,uint256)").hex()]
    assert last.data[1] == word(200) + word(100)
    chain.claim(0, chain.said(FIRST, NOBODY_LEFT, [Payout(64, ONE, 200)]), 0)
    topics = (keccak256(b"Claimed(uint256,uint256,address,uint256)"), word(0), word(0), word(ONE))
    [heard] = [each for each in chain.evm.result.logs if each.topics[0] == "0x" + topics[0].hex()]
    assert heard.topics == ["0x" + each.hex() for each in topics] and heard.data[1] == word(100)


def test_a_claim_stays_below_150_000_gas() -> None:
    """The tallest tree; slots that this machine counts as warm are added in full: ten reads, and five first writes."""
    chain = Exit(SHAPE._replace(log_payouts=USUAL.log_payouts))
    chain.freeze(10_000)
    said = chain.said(FIRST, NOBODY_LEFT, [Payout(64, ONE + place, 9) for place in range(USUAL.payouts)])
    chain.give(said)
    chain.claim(0, said, USUAL.payouts - 1)
    assert chain.gas + 10 * 2000 + 5 * 2900 < 150_000


def test_claims_of_a_long_statement_are_kept_apart() -> None:
    """A word has 256 bits: the payouts on both sides of its end, and those at one place of two words, are four."""
    chain = Exit(SHAPE._replace(log_payouts=USUAL.log_payouts))
    chain.freeze(10_000)
    said = chain.said(FIRST, NOBODY_LEFT, [Payout(64, ONE + place, 9) for place in range(USUAL.payouts)])
    chain.give(said)
    claimed = (0, 255, 256, 511)
    for place in claimed:
        chain.claim(0, said, place)
        with pytest.raises(Reverted, match="^escape: claimed$"):
            chain.claim(0, said, place)
    for place in (1, 254, 257, 510):
        chain.claim(0, said, place)
    assert chain.number(chain.custody, "backing") == 10_000 - 8 * 9
    assert [chain.number(chain.escape, "claimed", 0, word) for word in (0, 1)] == [0b11 | 0b11 << 254] * 2


def test_the_tree_is_the_contracts(chain: Exit) -> None:
    said = settled(chain, 10, 20, 30)
    for chunk, each in enumerate(said):
        root = PayoutTree(payouts_of(each, SHAPE)).root
        assert chain.call(chain.escape, "roots", [chunk]) == root
    with pytest.raises(ValueError, match="3 payouts make no tree"):
        PayoutTree([None] * 3)
    with pytest.raises(ValueError, match="1024 payouts in a statement"):
        escape_module(SHAPE._replace(log_payouts=10))


def test_everybody_leaves_with_what_was_proven(machine: Machine) -> None:
    """Real proofs of a real state: every account's owner is paid its value, and custody keeps the funds alone."""
    made = proven()
    chain = Exit(SHAPE, made.key, machine)
    held = made.state.custody[1]
    chain.freeze(held, made.root)
    for said in made.statements:
        refuses(chain, said, "escape: not proven")
    for said, cut in zip(made.statements, made.splits, strict=True):
        answer = chain.call(chain.verifier, "open", [*said, *cut.hints], cut.head)
        claim = [int.from_bytes(answer[at : at + 32], "big") for at in range(0, len(answer), 32)]
        for number, part in enumerate(cut.parts):
            chain.call(chain.verifier, "answer", [*claim, number, part.hint], part.data)
        for place in range(len(said)):
            refuses(chain, [value + (at == place) for at, value in enumerate(said)], "escape: not proven")
        chain.give(said)
    owed = dict.fromkeys((MAKER, TAKER, OTHER), 0)
    for chunk, said in enumerate(made.statements):
        for place, payout in enumerate(payouts_of(said, SHAPE)):
            if payout is not None and payout.amount:
                chain.claim(chunk, said, place)
                owed["0x" + f"{payout.owner:040x}"] += payout.amount
    assert owed[OTHER] == 12_500_000 and sum(owed.values()) <= held
    for owner, amount in owed.items():
        chain.call(chain.custody, "claim", [number_of(owner)])
        assert chain.balance(owner) == amount > 0
    assert chain.balance(chain.custody) == held - sum(owed.values()) == chain.number(chain.custody, "backing")
    funds = made.state.funds[1]
    dust = -(-int(funds.dust) // 2**32)
    assert 0 <= held - sum(owed.values()) - int(funds.fees) - int(funds.l1) - int(funds.insurance) <= dust + 4

"""After a freeze: proven statements in order, one haircut for all, and each payout claimed once."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from bulkhead.bridge.payouts import PayoutTree
from bulkhead.circuit.escape_batch import NOBODY_LEFT, SINGLE, USUAL, payouts_on
from bulkhead.circuit.escape_payouts import AMOUNT_MAX, Payout, listed
from stark.keccak import keccak256
from tests.contracts.bridge import OWNERS, STRANGER, number_of
from tests.contracts.escape import FINAL, FIRST, MAKER, MIDDLE, OTHER, SHAPE, TAKER, Exit, Statement, proven
from tests.contracts.machine import Machine, Reverted, word

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


KEPT = ("accounts", "chunks", "statements", "total", "is_finished")


def refuses(chain: Exit, statement: Statement, reason: str) -> None:
    """A statement is refused by name, its pages read or not, and nothing is noted."""
    before = [chain.number(chain.escape, name) for name in KEPT]
    with pytest.raises(Reverted) as refused:
        chain.give(statement)
    assert str(refused.value) == reason
    assert before == [chain.number(chain.escape, name) for name in KEPT]


def settled(chain: Exit, *amounts: int) -> list[list[Payout]]:
    """Three payouts in two statements of a page each."""
    said = [
        chain.said(FIRST, MIDDLE, [Payout(64, ONE, amounts[0]), Payout(128, TWO, amounts[1])]),
        chain.said(MIDDLE, NOBODY_LEFT, [Payout(192, ONE, amounts[2])]),
    ]
    for each in said:
        chain.give(each)
    return [page for each in said for page in each.payouts]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"state": FINAL + 1}, "escape: another state"),
        ({"accounts_start": MIDDLE}, "escape: another root"),
        ({"accounts_before": MIDDLE}, "escape: another root"),
        ({"accounts_before": NOBODY_LEFT}, "escape: another root"),
        ({"accounts_after": FIRST}, "escape: nothing settled"),
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
        chain.claim(0, first.payouts[0], 0)
    chain.give(second)
    for said in (first, second, chain.said(NOBODY_LEFT, NOBODY_LEFT, [])):
        refuses(chain, said, "escape: finished")
    assert [chain.number(chain.escape, name) for name in ("total", "backing", "statements", "chunks")] == [
        100, 100, 2, 2,
    ]  # fmt: skip


def test_nothing_is_settled_before_a_freeze_or_without_a_proof() -> None:
    chain = Exit()
    chain.head = chain.head._replace(state=FINAL)
    refuses(chain, chain.said(FIRST, MIDDLE, [], state=chain.number(chain.rollup, "state")), "escape: not frozen")
    no = chain.machine.deploy(bytes.fromhex("600a600c600039600a6000f3600060005260206000f3"))
    chain.escape = chain.another(no)
    refuses(chain, chain.said(FIRST, MIDDLE, []), "escape: not proven")


def test_a_venue_without_accounts_is_finished_at_once(chain: Exit) -> None:
    chain.give(chain.said(NOBODY_LEFT, NOBODY_LEFT, [], accounts_start=NOBODY_LEFT))
    assert chain.number(chain.escape, "is_finished") == 1 and chain.number(chain.escape, "chunks") == 0


def test_an_escape_that_the_rollup_does_not_name_releases_nothing(chain: Exit) -> None:
    chain.escape = chain.another(chain.verifier)
    said = settled(chain, 10, 20, 30)
    with pytest.raises(Reverted, match="rollup: not the escape"):
        chain.claim(0, said[0], 0)


def test_each_payout_is_claimed_once_by_its_path(chain: Exit) -> None:
    said = settled(chain, 10, 20, 0)
    for changed, reason in (
        ({"chunk": 1}, "path"), ({"chunk": 2}, "no such payout"), ({"place": 0}, "path"),
        ({"place": 2}, "no such payout"), ({"place": 2**255}, "no such payout"), ({"owner": ONE}, "path"),
        ({"amount": 21}, "path"), ({"amount": 20 + 2**91}, "no such payout"),
        ({"amount": 20 + 2**96}, "no such payout"),
    ):  # fmt: skip
        with pytest.raises(Reverted, match=f"^escape: {reason}$"):
            chain.claim(0, said[0], 1, **changed)
    with pytest.raises(Reverted, match="^no reason$"):  # what is no address is refused before anything
        chain.claim(0, said[0], 1, owner=TWO + (20 << 160), amount=0)
    chain.claim(0, said[0], 1)
    with pytest.raises(Reverted, match="^escape: claimed$"):
        chain.claim(0, said[0], 1)
    assert chain.number(chain.custody, "claimable", TWO) == 20
    with pytest.raises(Reverted, match="^escape: nothing to claim$"):
        chain.claim(1, said[1], 0)
    with pytest.raises(Reverted, match="^escape: path$"):
        chain.claim(1, said[1], 1)  # an unused place


def test_what_is_nobodys_stays(chain: Exit) -> None:
    """An account without an owner on L1 holds up nobody else, and takes nothing from others."""
    said = chain.said(FIRST, NOBODY_LEFT, [Payout(64, 0, 10**6), Payout(128, ONE, 97)])
    chain.give(said)
    assert chain.number(chain.escape, "total") == 97
    with pytest.raises(Reverted, match="^escape: nobody$"):
        chain.claim(0, said.payouts[0], 0)
    chain.claim(0, said.payouts[0], 1)
    assert chain.number(chain.custody, "claimable", ONE) == 97


@pytest.mark.parametrize(
    "amounts", [(50, 30, 20), (50, 30, 19), (51, 30, 20), (3000, 20001, 77), (AMOUNT_MAX, 1, 2**70)]
)
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
    statement = chain.said(FIRST, NOBODY_LEFT, [Payout(64, ONE, 200)])
    chain.give(statement)
    first, last = chain.evm.result.logs
    topic = keccak256(b"Settled(uint256,uint256[1],uint256,uint256)")
    assert first.topics == ["0x" + each.hex() for each in (topic, word(0))]
    assert first.data[1] == b"".join(map(word, (*statement.digests(), NOBODY_LEFT, 200)))
    assert last.topics == ["0x" + keccak256(b"Finished(uint256,uint256)").hex()]
    assert last.data[1] == word(200) + word(100)
    chain.claim(0, statement.payouts[0], 0)
    topics = (keccak256(b"Claimed(uint256,uint256,address,uint256)"), word(0), word(0), word(ONE))
    [heard] = [each for each in chain.evm.result.logs if each.topics[0] == "0x" + topics[0].hex()]
    assert heard.topics == ["0x" + each.hex() for each in topics] and heard.data[1] == word(100)


TALL = SHAPE._replace(log_payouts=USUAL.log_payouts, page_bytes=30_000)


@pytest.fixture(scope="module")
def tall() -> Iterator[tuple[Exit, list[Payout]]]:
    """A page of as many payouts as two words of claims are of, in the usual tree."""
    chain = Exit(TALL)
    chain.freeze(10_000)
    statement = chain.said(FIRST, NOBODY_LEFT, [Payout(64 + place, ONE + place, 9) for place in range(512)])
    chain.give(statement)
    yield chain, statement.payouts[0]


def test_a_claim_stays_below_150_000_gas(tall: tuple[Exit, list[Payout]]) -> None:
    """Slots that this machine counts as warm are added in full: ten reads, and five first writes."""
    chain, paid = tall
    chain.claim(0, paid, 300)
    assert chain.gas + 10 * 2000 + 5 * 2900 < 150_000


def test_claims_of_a_long_page_are_kept_apart(tall: tuple[Exit, list[Payout]]) -> None:
    """A word has 256 bits: the payouts on both sides of its end, and those at one place of two words, are four."""
    chain, paid = tall
    ends, backing = 0b11 | 0b11 << 254, chain.number(chain.custody, "backing")
    before = [chain.number(chain.escape, "claimed", 0, at) for at in (0, 1)]
    for place in (0, 255, 256, 511):
        chain.claim(0, paid, place)
        with pytest.raises(Reverted, match="^escape: claimed$"):
            chain.claim(0, paid, place)
    for place in (1, 254, 257, 510):
        chain.claim(0, paid, place)
    assert chain.number(chain.custody, "backing") == backing - 8 * 9
    assert [chain.number(chain.escape, "claimed", 0, at) for at in (0, 1)] == [each + ends for each in before]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8])
def test_the_tree_is_the_contracts(count: int) -> None:
    """Of every number of payouts: what has no neighbour stands beside zero, at whatever depth."""
    shape = SHAPE._replace(log_payouts=3, page_bytes=400)
    chain = Exit(shape)
    paid = [Payout(64 * place, ONE + place, 1 << 10 * place) for place in range(1, count + 1)]
    statement = chain.said(FIRST, NOBODY_LEFT, paid)
    [page], [digest] = statement.pages, statement.digests()
    chain.read(page)
    tree = PayoutTree(paid, shape.log_payouts)
    root, total = tree.root, sum(each.amount for each in paid)
    assert chain.call(chain.escape, "pages", [digest]) == root + word(total)
    for place, payout in enumerate(paid):
        node = keccak256(word(payout.packed))
        for depth, beside in enumerate(tree.path(place)):
            node = keccak256(beside + node) if place >> depth & 1 else keccak256(node + beside)
        assert node == root


def test_a_tree_has_payouts_and_no_more_than_places() -> None:
    for count in (0, 3):
        with pytest.raises(ValueError, match=f"^{count} payouts make no tree of 2 places$"):
            PayoutTree([Payout(64, 1, 1)] * count, 1)


# --- pages --------------------------------------------------------------------------------------------------------


PAGED = SHAPE._replace(log_payouts=3, page_bytes=150)  # three payouts a page
SEVEN = [Payout(64 * place, (ONE, TWO, THREE)[place % 3], place) for place in range(1, 8)]


@pytest.fixture
def paged(machine: Machine) -> Exit:
    """Statements of several pages, and 100 units for the accounts."""
    made = Exit(PAGED, machine=machine)
    made.freeze(100)
    return made


def test_a_statement_has_several_pages(paged: Exit) -> None:
    """Numbered one after the other, statement after statement; each payout is claimed on its own page."""
    first, second = paged.said(FIRST, MIDDLE, SEVEN[:4]), paged.said(MIDDLE, NOBODY_LEFT, SEVEN[4:])
    assert [len(each.pages) for each in (first, second)] == [2, 1]
    for each in (first, second):
        paged.give(each)
    assert [paged.number(paged.escape, name) for name in ("statements", "chunks", "total")] == [2, 3, 28]
    pages = [*first.payouts, *second.payouts]
    for chunk, page in enumerate(pages):
        for place in range(len(page)):
            if len(page) > 1:
                with pytest.raises(Reverted, match="^escape: path$"):
                    paged.claim((chunk + 1) % 3, page, place)
            paged.claim(chunk, page, place)
            with pytest.raises(Reverted, match="^escape: claimed$"):
                paged.claim(chunk, page, place)
    paid = {owner: sum(each.amount for each in SEVEN if each.owner == owner) for owner in (ONE, TWO, THREE)}
    assert {owner: paged.number(paged.custody, "claimable", owner) for owner in paid} == paid


def test_no_page_of_a_statement_is_left_out(paged: Exit) -> None:
    """Whichever was not read, and whatever else was: pages of another statement stand for none of this one's."""
    statement, other = paged.said(FIRST, NOBODY_LEFT, SEVEN[:4]), paged.said(FIRST, NOBODY_LEFT, SEVEN[4:])
    paged.read(other.pages[0])
    refuses(paged, statement._replace(pages=[]), "escape: a page was not read")
    refuses(paged, statement._replace(pages=[statement.pages[0]]), "escape: a page was not read")
    digests = len(SINGLE)
    for place in range(len(statement.pages)):  # with a byte changed, or with the digest of bytes that nobody has
        said = [*statement.said]
        said[digests + place] ^= 1
        refuses(paged, statement._replace(said=said), "escape: a page was not read")
    paged.read(statement.pages[1])
    assert paged.number(paged.escape, "chunks") == 0  # a page means nothing before a statement names it
    paged.give(statement)
    assert paged.number(paged.escape, "total") == sum(each.amount for each in SEVEN[:4])


def test_pages_are_read_in_any_order_and_more_than_once(paged: Exit) -> None:
    """What is kept of a page is what it says; a page of nobody's statement changes nothing."""
    statement = paged.said(FIRST, NOBODY_LEFT, SEVEN)
    for page in reversed(statement.pages):
        paged.read(page)
    kept = [paged.call(paged.escape, "pages", [digest]) for digest in statement.digests()]
    assert kept == [
        PayoutTree(page, PAGED.log_payouts).root + word(sum(each.amount for each in page))
        for page in statement.payouts
    ]
    for page in (statement.pages[0], b"\1\1\7\7" + bytes(64), bytes(66)):
        paged.read(page)
    assert kept == [paged.call(paged.escape, "pages", [digest]) for digest in statement.digests()]
    paged.give(statement)
    assert paged.number(paged.escape, "total") == 28 and paged.number(paged.escape, "chunks") == 3


def test_bytes_that_are_no_page_are_refused_or_mean_nothing(paged: Exit) -> None:
    """None of them has the digest of a proven page, for the verifier has checked those byte by byte."""
    for page, reason in (
        (b"", "no page"), (bytes(64), "no page"), (b"\1\0\1" * 9 + bytes(64), "too many payouts"),
        (b"\1\5\1" + bytes(64), "too many payouts"),
    ):  # fmt: skip
        with pytest.raises(Reverted, match=f"^escape: {reason}$"):
            paged.read(page)
    with pytest.raises(Reverted):
        paged.read(b"\xff\xff" + bytes(70))  # reads on behind its end


def test_pages_of_the_largest_payouts_are_read_as_they_are_unpacked(paged: Exit) -> None:
    """Every size of a step and a value: the contract finds the payouts that `Listing.unpack` finds."""
    draw = random.Random(5)
    for bits in (1, 7, 8, 60, 91):
        paid, account = [], 0
        for _ in range(2):
            account += 1 + draw.getrandbits(draw.choice((1, 8, 31)))
            paid.append(Payout(account, draw.getrandbits(160) >> draw.choice((0, 8, 160)), draw.getrandbits(bits)))
        for page in PAGED.listing.pack(listed(paid)):
            paged.read(page)
            [digest] = Statement([], [page], []).digests()
            found = payouts_on(page, PAGED)
            total = sum(each.amount for each in found if each.owner)
            expected = PayoutTree(found, PAGED.log_payouts).root + word(total)
            assert paged.call(paged.escape, "pages", [digest]) == expected


def test_everybody_leaves_with_what_was_proven(machine: Machine) -> None:
    """Real proofs of a real state: every account's owner is paid its value, and custody keeps the funds alone."""
    made = proven()
    chain = Exit(SHAPE, made.key, machine)
    held = made.state.custody[1]
    chain.freeze(held, made.root)
    for statement in made.statements:
        refuses(chain, statement, "escape: not proven")
    for statement, cut in zip(made.statements, made.splits, strict=True):
        assert statement.said == cut.said and statement.pages == cut.pages
        answer = chain.call(chain.verifier, "open", [*cut.said, *cut.hints], cut.head)
        claim = [int.from_bytes(answer[at : at + 32], "big") for at in range(0, len(answer), 32)]
        for number, part in enumerate(cut.parts):
            chain.call(chain.verifier, "answer", [*claim, number, part.hint], part.data)
        refuses(chain, statement, "escape: not proven")  # its page is missing
        for place, page in enumerate(cut.pages):
            with pytest.raises(Reverted, match="^pages: other bytes$"):
                chain.call(chain.escape, "publish", [*claim, place], page[:-1] + b"\1")
            chain.call(chain.escape, "publish", [*claim, place], page)
            with pytest.raises(Reverted, match="^verifier: no such page to publish$"):
                chain.call(chain.escape, "publish", [*claim, place], page)
        for place in range(len(cut.said)):
            other = [value + (at == place) for at, value in enumerate(cut.said)]
            refuses(chain, statement._replace(said=other), "escape: not proven")
        chain.call(chain.escape, "settle", cut.said)
    owed = dict.fromkeys((MAKER, TAKER, OTHER), 0)
    for chunk, page in enumerate(page for statement in made.statements for page in statement.payouts):
        for place, payout in enumerate(page):
            if payout.amount:
                chain.claim(chunk, page, place)
                owed["0x" + f"{payout.owner:040x}"] += payout.amount
    assert owed[OTHER] == 12_500_000 and sum(owed.values()) <= held
    for owner, amount in owed.items():
        chain.call(chain.custody, "claim", [number_of(owner)])
        assert chain.balance(owner) == amount > 0
    assert chain.balance(chain.custody) == held - sum(owed.values()) == chain.number(chain.custody, "backing")
    funds = made.state.funds[1]
    dust = -(-int(funds.dust) // 2**32)
    assert 0 <= held - sum(owed.values()) - int(funds.fees) - int(funds.l1) - int(funds.insurance) <= dust + 4

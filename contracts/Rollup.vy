# pragma version 0.4.3
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Rollup
@license Apache-2.0
@notice The state of the exchange as one element, S, moved by statements that are proven. Anybody may settle.
@dev What a statement says of L1 is compared with L1 here: deposits with the queue, times with the block, counters with
     the last batch. Every changed word is in the statement, so calldata is enough to rebuild the state.
@custom:kill Nothing here can be stopped or changed.
"""
import statement


interface Verifier:
    def is_proven(digest: bytes32) -> bool: view


interface Custody:
    def queue(number: uint256) -> (uint256, uint256): view
    def take(count: uint256): nonpayable
    def pay(recipient: address, amount: uint256): nonpayable


event Settled:
    number: indexed(uint256)
    state: uint256


# The counters that S holds; a statement begins with those that the last one ended with.
struct Counters:
    deposits: uint256
    withdrawals: uint256
    forced: uint256
    transactions: uint256
    batches: uint256
    fresh_after_ms: uint256
    time_ms: uint256


AMOUNT_LIMIT: constant(uint256) = 2**63
TIME_LIMIT: constant(uint256) = 2**50
TRANSACTIONS_MAX: constant(uint256) = 2**20  # in one batch
AHEAD_MS: constant(uint256) = 900_000  # a batch may be that far ahead of the block that settles it

VERIFIER: public(immutable(Verifier))
CUSTODY: public(immutable(Custody))

state: public(uint256)
counters: public(Counters)


@deploy
def __init__(verifier: address, custody: address, state: uint256, counters: Counters):
    """
    @notice Where the exchange begins: a state that everybody can compute, and the counters in it.
    """
    VERIFIER = Verifier(verifier)
    CUSTODY = Custody(custody)
    self.state = state
    self.counters = counters


@external
def settle(said: uint256[statement.LENGTH]):
    """
    @notice Move the state by a proven statement.
    @param said The statement's elements, which the verifier has seen proven.
    """
    assert staticcall VERIFIER.is_proven(keccak256(abi_encode(said))), "rollup: not proven"
    assert said[statement.STATE_BEFORE] == self.state, "rollup: another state"
    before: Counters = self.counters
    assert said[statement.DEPOSITS_BEFORE] == before.deposits, "rollup: deposits before"
    assert said[statement.WITHDRAWALS_BEFORE] == before.withdrawals, "rollup: withdrawals before"
    assert said[statement.FORCED] == before.forced, "rollup: forced requests"
    assert said[statement.TRANSACTIONS_BEFORE] == before.transactions, "rollup: transactions before"
    assert said[statement.BATCHES_BEFORE] == before.batches, "rollup: batch number"
    assert said[statement.FRESH_AFTER_MS] == before.fresh_after_ms, "rollup: fresh after"
    assert said[statement.TIME_MS_BEFORE] == before.time_ms, "rollup: time before"
    time_ms: uint256 = said[statement.TIME_MS_AFTER]
    assert before.time_ms <= time_ms and time_ms < TIME_LIMIT, "rollup: time after"
    assert time_ms <= block.timestamp * 1000 + AHEAD_MS, "rollup: ahead of its time"
    assert said[statement.NOW_S] == time_ms // 1000, "rollup: now"
    transactions: uint256 = said[statement.TRANSACTIONS_AFTER]
    assert before.transactions <= transactions, "rollup: transactions after"
    assert transactions - before.transactions <= TRANSACTIONS_MAX, "rollup: transactions after"

    # The state is moved before other contracts are called.
    self.state = said[statement.STATE_AFTER]
    self.counters = Counters(
        deposits=said[statement.DEPOSITS_AFTER],
        withdrawals=said[statement.WITHDRAWALS_AFTER],
        forced=before.forced,
        transactions=transactions,
        batches=before.batches + 1,
        fresh_after_ms=before.fresh_after_ms,
        time_ms=time_ms,
    )
    for place: uint256 in range(statement.CHANGES):
        assert said[statement.CHANGED_START + 3 * place + 2] <= 1, "rollup: a changed word is used or not"
    self._take(said, before.deposits)
    self._pay(said, before.withdrawals)
    log Settled(number=before.batches + 1, state=said[statement.STATE_AFTER])


@internal
def _take(said: uint256[statement.LENGTH], first: uint256):
    """
    @dev The deposits a statement credits are the next ones of the queue, no more and no fewer.
    """
    assert first <= said[statement.DEPOSITS_AFTER], "rollup: deposits after"
    count: uint256 = said[statement.DEPOSITS_AFTER] - first
    assert count <= statement.QUEUE, "rollup: deposits after"
    for place: uint256 in range(statement.QUEUE):
        at: uint256 = statement.DEPOSIT_START + 3 * place
        account: uint256 = 0
        amount: uint256 = 0
        if place < count:
            account, amount = staticcall CUSTODY.queue(first + 1 + place)
            assert amount > 0, "rollup: no such deposit"
        assert said[at] == account and said[at + 1] == amount, "rollup: another deposit"
        assert said[at + 2] == convert(place < count, uint256), "rollup: deposits used"
    if count > 0:
        extcall CUSTODY.take(count)


@internal
def _pay(said: uint256[statement.LENGTH], first: uint256):
    """
    @dev Custody owes what a statement pays out.
    """
    assert first <= said[statement.WITHDRAWALS_AFTER], "rollup: withdrawals after"
    count: uint256 = said[statement.WITHDRAWALS_AFTER] - first
    assert count <= statement.QUEUE, "rollup: withdrawals after"
    for place: uint256 in range(statement.QUEUE):
        at: uint256 = statement.PAID_START + 3 * place
        recipient: uint256 = said[at]
        amount: uint256 = said[at + 1]
        assert said[at + 2] == convert(place < count, uint256), "rollup: payments used"
        if place < count:
            assert 0 < recipient and recipient < 2**160, "rollup: recipient"
            assert 0 < amount and amount < AMOUNT_LIMIT, "rollup: amount"
            extcall CUSTODY.pay(convert(recipient, address), amount)
        else:
            assert recipient == 0 and amount == 0, "rollup: payments not used"

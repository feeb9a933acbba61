# pragma version 0.4.3
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Rollup
@license Apache-2.0
@notice The state of the exchange as one element, S, moved by statements that are proven.
@dev What a statement says of L1 is compared with L1: deposits with custody's queue, forced requests with the queue in
     `forced`, times with the block, counters with the last batch in `progress`. Readers, one for each version and
     shape, see what is proven and say it in one form; `governance` pins them, and says what a council may do. Nobody
     has any power over funds.

     A batch that is older than SUBMISSION_WINDOW is refused for ever, and what was traded in it has to be sealed anew:
     the price of giving back deposits without asking the operator.
@custom:kill After `forced.freeze`, which anybody may call when a request is overdue, no batch settles again.
"""
import terms
from rollup import forced
from rollup import governance
from rollup import progress

initializes: progress
initializes: forced[progress := progress]
initializes: governance[progress := progress, forced := forced]

exports: (
    progress.state,
    progress.counters,
    progress.batches,
    progress.frozen,
    forced.FEE,
    forced.requested,
    forced.earned,
    forced.request_withdrawal,
    forced.request_close,
    forced.request_of,
    forced.is_overdue,
    forced.freeze,
    forced.return_fee,
    forced.collect,
    governance.council,
    governance.deposits_paused,
    governance.batches_paused,
    governance.pins,
    governance.ready_s,
    governance.pause,
    governance.propose_reader,
    governance.propose_council,
    governance.withdraw_proposal,
    governance.enact_reader,
    governance.enact_council,
    governance.takes_deposits,
    governance.reader_of,
)


interface Custody:
    def settle(
        deposits: DynArray[terms.Deposit, terms.LIST_MAX], payments: DynArray[terms.Payment, terms.LIST_MAX]
    ): nonpayable


event Settled:
    number: indexed(uint256)
    state: uint256
    reader: indexed(address)
    time_ms: uint256
    deposits: uint256
    withdrawals: uint256
    forced: uint256
    transactions: uint256


TRANSACTIONS_MAX: constant(uint256) = 2**20  # in one batch

CUSTODY: public(immutable(Custody))
ESCAPE: public(immutable(address))


@deploy
def __init__(
    custody: address,
    escape: address,
    council: address,
    fee: uint256,
    state: uint256,
    counters: terms.Counters,
    batches: uint256,
    doors: DynArray[governance.Door, 8],
):
    """
    @notice Where the exchange begins: a state that everybody can compute, and the counters in it.
    @param custody Holds the collateral.
    @param escape Who says what accounts are owed after a freeze: an `Escape` of this custody. It knows one version and
                  configuration of the circuit. With the zero address, only what is claimable already, and deposits
                  that were not taken, can leave then.
    @param council Who may pause and propose.
    @param fee What a forced request costs, in wei.
    @param doors The first readers.
    """
    CUSTODY = Custody(custody)
    ESCAPE = escape
    progress.__init__(state, counters, batches)
    forced.__init__(fee)
    governance.__init__(council, doors)


@external
def settle(
    version: uint256,
    shape: uint256,
    settler: address,
    said: terms.Said,
    deposits: DynArray[terms.Deposit, terms.LIST_MAX],
    payments: DynArray[terms.Payment, terms.LIST_MAX],
    requests: DynArray[terms.Request, terms.LIST_MAX],
):
    """
    @notice Move the state. Only the pinned reader may, and it has seen the statement proven.
    @param version The circuit's version.
    @param shape The shape of the batch.
    @param settler Who is owed the fees of the requests.
    @param said The statement without its lists.
    @param deposits What was taken of custody's queue.
    @param payments What custody owes from now on.
    @param requests The forced requests that were processed.
    """
    assert not progress.frozen, "rollup: frozen"
    assert not governance.batches_paused, "rollup: paused"
    before: terms.Counters = progress.counters
    after: terms.Counters = said.after
    number: uint256 = progress.batches + 1
    assert msg.sender == governance._reader(version, shape, number), "rollup: not the reader"
    assert said.state_before == progress.state, "rollup: another state"
    assert said.batches_before + 1 == number, "rollup: batch number"
    assert said.before.deposits == before.deposits, "rollup: deposits before"
    assert said.before.withdrawals == before.withdrawals, "rollup: withdrawals before"
    assert said.before.forced == before.forced, "rollup: forced before"
    assert said.before.transactions == before.transactions, "rollup: transactions before"
    assert said.before.fresh_after_ms == before.fresh_after_ms, "rollup: fresh after, before"
    assert said.before.time_ms == before.time_ms, "rollup: time before"
    self._check_times(before, after, said.now_s)
    assert before.transactions <= after.transactions, "rollup: transactions after"
    assert after.transactions - before.transactions <= TRANSACTIONS_MAX, "rollup: transactions after"
    assert after.deposits == before.deposits + len(deposits), "rollup: deposits after"
    assert after.withdrawals == before.withdrawals + len(payments), "rollup: withdrawals after"
    assert after.forced == before.forced + len(requests), "rollup: forced after"

    progress.state = said.state_after
    progress.counters = after
    progress.batches = number
    forced._process(before.forced, requests, settler)
    log Settled(
        number=number,
        state=said.state_after,
        reader=msg.sender,
        time_ms=after.time_ms,
        deposits=after.deposits,
        withdrawals=after.withdrawals,
        forced=after.forced,
        transactions=after.transactions,
    )
    extcall CUSTODY.settle(deposits, payments)


@external
def release(payments: DynArray[terms.Payment, terms.LIST_MAX]):
    """
    @notice After a freeze: what the escape has settled can be claimed. Custody never owes more than accounts held.
    @dev The Escape contract may, which has seen every account settled: see `escape` of the constructor.
    @param payments What recipients can claim from now on.
    """
    assert progress.frozen, "rollup: not frozen"
    assert msg.sender == ESCAPE, "rollup: not the escape"
    extcall CUSTODY.settle([], payments)


@internal
@view
def _check_times(before: terms.Counters, after: terms.Counters, now_s: uint256):
    """
    @dev Time does not fall, and a batch is of the days before its block.
    """
    assert before.time_ms <= after.time_ms and after.time_ms < terms.TIME_LIMIT, "rollup: time after"
    assert after.time_ms <= (block.timestamp + terms.AHEAD) * 1000, "rollup: ahead of its time"
    assert after.time_ms + terms.SUBMISSION_WINDOW * 1000 >= block.timestamp * 1000, "rollup: too old"
    assert now_s == after.time_ms // 1000, "rollup: now"
    assert before.fresh_after_ms <= after.fresh_after_ms, "rollup: fresh after"
    assert after.fresh_after_ms <= after.time_ms, "rollup: fresh after"

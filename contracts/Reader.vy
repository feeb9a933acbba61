# pragma version 0.4.3
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Reader
@license Apache-2.0
@notice The door of batches of one version and shape: knows where each word of the statement stands, sees that it is
        proven, and hands it to the rollup. Anybody may settle.
@dev Shapes have statements of different lengths. The contract language gives arrays a length when it compiles, and a
     list of any length costs its bound in memory; so each shape has a reader, compiled with its generated module
     `statement`, and the rollup, which holds the state, is compiled once and knows no layout. The rollup pins readers:
     a reader names its verifier, so one address says all there is to review of an upgrade. A reader holds nothing and
     serves any rollup that pins it.

     Every changed word is in the statement, so calldata is enough to rebuild the state.
@custom:kill Nothing here can be stopped or changed.
"""
import statement
import terms


interface Verifier:
    def is_proven(digest: bytes32) -> bool: view


interface Rollup:
    def settle(
        version: uint256,
        shape: uint256,
        settler: address,
        said: terms.Said,
        deposits: DynArray[terms.Deposit, terms.LIST_MAX],
        payments: DynArray[terms.Payment, terms.LIST_MAX],
        requests: DynArray[terms.Request, terms.LIST_MAX],
    ): nonpayable


VERIFIER: public(immutable(Verifier))
VERSION: public(immutable(uint256))
SHAPE: public(immutable(uint256))


@deploy
def __init__(verifier: address, version: uint256, shape: uint256):
    """
    @notice Whose word it takes that a statement is proven, and for which version and shape.
    """
    VERIFIER = Verifier(verifier)
    VERSION = version
    SHAPE = shape


@external
def settle(rollup: address, said: uint256[statement.LENGTH]):
    """
    @notice Move a rollup's state by a proven statement.
    @param rollup One that pins this reader.
    @param said The statement's elements, which the verifier has seen proven.
    """
    assert staticcall VERIFIER.is_proven(keccak256(abi_encode(said))), "reader: not proven"
    assert said[statement.VERSION] == VERSION, "reader: version"
    assert said[statement.SHAPE] == SHAPE, "reader: shape"
    at: uint256 = statement.DEPOSIT_START
    deposits: DynArray[terms.Deposit, statement.QUEUE] = []
    for place: uint256 in range(statement.QUEUE):
        account: uint256 = said[at]
        self._check_entry(said[at + 3], place == len(deposits), account | said[at + 1] | said[at + 2])
        if said[at + 3] == 1:
            deposits.append(terms.Deposit(account=account, amount=said[at + 1], depositor=self._address(said[at + 2])))
        at += 4
    at = statement.PAID_START
    payments: DynArray[terms.Payment, statement.QUEUE] = []
    for place: uint256 in range(statement.QUEUE):
        self._check_entry(said[at + 2], place == len(payments), said[at] | said[at + 1])
        if said[at + 2] == 1:
            payments.append(terms.Payment(recipient=self._address(said[at]), amount=said[at + 1]))
        at += 3
    at = statement.FORCED_START
    requests: DynArray[terms.Request, statement.FORCED_QUEUE] = []
    for place: uint256 in range(statement.FORCED_QUEUE):
        kind: uint256 = said[at]
        account: uint256 = said[at + 1]
        subject: uint256 = said[at + 2]
        time_ms: uint256 = said[at + 4]
        self._check_entry(said[at + 5], place == len(requests), kind | account | subject | said[at + 3] | time_ms)
        if said[at + 5] == 1:
            sender: address = self._address(said[at + 3])
            requests.append(
                terms.Request(kind=kind, account=account, subject=subject, sender=sender, included_ms=time_ms)
            )
        at += 6
    at = statement.CHANGED_START
    for place: uint256 in range(statement.CHANGES):  # in any order, with gaps
        self._check_entry(said[at + 2], True, said[at] | said[at + 1])
        at += 3
    before: terms.Counters = self._counters(
        said[statement.DEPOSITS_BEFORE], said[statement.WITHDRAWALS_BEFORE], said[statement.FORCED_BEFORE],
        said[statement.TRANSACTIONS_BEFORE], said[statement.FRESH_AFTER_MS_BEFORE], said[statement.TIME_MS_BEFORE],
    )
    after: terms.Counters = self._counters(
        said[statement.DEPOSITS_AFTER], said[statement.WITHDRAWALS_AFTER], said[statement.FORCED_AFTER],
        said[statement.TRANSACTIONS_AFTER], said[statement.FRESH_AFTER_MS_AFTER], said[statement.TIME_MS_AFTER],
    )
    head: terms.Said = terms.Said(
        state_before=said[statement.STATE_BEFORE], state_after=said[statement.STATE_AFTER], before=before, after=after,
        batches_before=said[statement.BATCHES_BEFORE], now_s=said[statement.NOW_S],
    )
    extcall Rollup(rollup).settle(VERSION, SHAPE, msg.sender, head, deposits, payments, requests)


@internal
@pure
def _check_entry(used: uint256, is_next: bool, content: uint256):
    """
    @dev A flag is 0 or 1, the used entries of a queue stand first, and the others are empty.
    """
    assert used <= 1, "reader: used or not"
    assert used == 0 or is_next, "reader: a gap"
    assert used == 1 or content == 0, "reader: unused, but not empty"


@internal
@pure
def _counters(
    deposits: uint256,
    withdrawals: uint256,
    forced: uint256,
    transactions: uint256,
    fresh_after_ms: uint256,
    time_ms: uint256,
) -> terms.Counters:
    """
    @dev In the order of the struct.
    """
    return terms.Counters(
        deposits=deposits,
        withdrawals=withdrawals,
        forced=forced,
        transactions=transactions,
        fresh_after_ms=fresh_after_ms,
        time_ms=time_ms,
    )


@internal
@pure
def _address(said: uint256) -> address:
    """
    @dev An address, from a word that was not one until it is seen to be.
    """
    assert said < 2**160, "reader: address"
    return convert(said, address)

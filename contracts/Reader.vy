# pragma version 0.4.3
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Reader
@license Apache-2.0
@notice The door of batches of one version and shape: expands a statement to the elements that are proven, knows where
        each stands, and hands them to the rollup. Anybody may settle.
@dev Shapes have statements of different lengths. The contract language gives arrays a length when it compiles, and a
     list of any length costs its bound in memory; so each shape has a reader, compiled with its generated module
     `statement`, and the rollup, which holds the state, is compiled once and knows no layout. The rollup pins readers:
     a reader names its verifier, so one address says all there is to review of an upgrade. A reader holds nothing and
     serves any rollup that pins it.

     Every changed word is published, so calldata is enough to rebuild the state: on pages, which the verifier has seen
     and a statement names by their digests. Elements are given packed, in the one form that they have, and hashed as
     the proof absorbed them: so what is published is what is proven. Elements whose entries have gaps between them have
     no such form; honest provers make none.
@custom:kill Nothing here can be stopped or changed.
"""
import shape as proofs
import statement
import terms


interface Verifier:
    def is_proven(digest: bytes32) -> bool: view
    def publish(claim: uint256[proofs.CLAIM], page: uint256, listed: Bytes[proofs.PAGE_BYTES]) -> bool: nonpayable


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


# Where to find the changed words: what the verifier published under these digests; zero where there is no page.
event Listed:
    rollup: indexed(address)
    pages: uint256[statement.PAGES]


PRIME: constant(uint256) = 2**251 + 17 * 2**192 + 1

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
def settle(rollup: address, pages: uint256[statement.PAGES], packed: Bytes[statement.PACKED_BYTES]):
    """
    @notice Move a rollup's state by a proven statement.
    @param rollup One that pins this reader.
    @param pages The digests of the pages of changed words; zero where there is none.
    @param packed The elements in their one packed form: those before the queues; how many entries each queue has; the
                  entries of the three queues without `used`. A number is a byte that says how many follow, and these,
                  the highest first, which is not zero.
    """
    self._settle(rollup, pages, packed)


@external
def publish_and_settle(
    rollup: address,
    pages: uint256[statement.PAGES],
    packed: Bytes[statement.PACKED_BYTES],
    claim: uint256[proofs.CLAIM],
    page: uint256,
    listed: Bytes[proofs.PAGE_BYTES],
):
    """
    @notice Publish the page that a proof still lacks, and `settle` in the same transaction.
    @param rollup See `settle`.
    @param pages See `settle`.
    @param packed See `settle`.
    @param claim See `Verifier.publish`.
    @param page See `Verifier.publish`.
    @param listed See `Verifier.publish`.
    """
    extcall VERIFIER.publish(claim, page, listed)
    self._settle(rollup, pages, packed)


@internal
def _settle(rollup: address, pages: uint256[statement.PAGES], packed: Bytes[statement.PACKED_BYTES]):
    """
    @dev Expand, compare, hand on.
    """
    said: uint256[statement.LENGTH] = empty(uint256[statement.LENGTH])
    counts: uint256[3] = empty(uint256[3])
    # Numbers are read a word at a time: beyond the end there are zeros, which are refused by name.
    padded: Bytes[statement.PACKED_BYTES + 64] = concat(packed, empty(bytes32), empty(bytes32))
    end: uint256 = len(packed)
    at: uint256 = 0
    for index: uint256 in range(statement.HEAD + 3):
        size: uint256 = extract32(padded, at, output_type=uint256) >> 248
        number: uint256 = self._number(size, extract32(padded, at + 1, output_type=uint256))
        at += 1 + size
        assert at <= end, "reader: ends early"
        if index < statement.HEAD:
            said[index] = number
        else:
            counts[index - statement.HEAD] = number
    starts: uint256[3] = [statement.DEPOSIT_START, statement.PAID_START, statement.FORCED_START]
    rooms: uint256[3] = [statement.QUEUE, statement.QUEUE, statement.FORCED_QUEUE]
    fields: uint256[3] = [3, 2, 5]
    place: uint256 = 0
    for which: uint256 in range(3):
        assert counts[which] <= rooms[which], "reader: too many entries"
        place = starts[which]
        for _: uint256 in range(counts[which], bound=terms.LIST_MAX):
            for field: uint256 in range(fields[which], bound=5):
                size: uint256 = extract32(padded, at, output_type=uint256) >> 248
                said[place] = self._number(size, extract32(padded, at + 1, output_type=uint256))
                at += 1 + size
                assert at <= end, "reader: ends early"
                place += 1
            said[place] = 1
            place += 1
    assert at == end, "reader: bytes after its end"
    for page: uint256 in range(statement.PAGES):
        said[statement.ELEMENTS + page] = pages[page]

    assert staticcall VERIFIER.is_proven(keccak256(abi_encode(said))), "reader: not proven"
    assert said[statement.VERSION] == VERSION, "reader: version"
    assert said[statement.SHAPE] == SHAPE, "reader: shape"
    deposits: DynArray[terms.Deposit, statement.QUEUE] = []
    place = statement.DEPOSIT_START
    for entry: uint256 in range(counts[0], bound=statement.QUEUE):
        depositor: address = self._address(said[place + 2])
        deposits.append(terms.Deposit(account=said[place], amount=said[place + 1], depositor=depositor))
        place += 4
    payments: DynArray[terms.Payment, statement.QUEUE] = []
    place = statement.PAID_START
    for entry: uint256 in range(counts[1], bound=statement.QUEUE):
        payments.append(terms.Payment(recipient=self._address(said[place]), amount=said[place + 1]))
        place += 3
    requests: DynArray[terms.Request, statement.FORCED_QUEUE] = []
    place = statement.FORCED_START
    for entry: uint256 in range(counts[2], bound=statement.FORCED_QUEUE):
        sender: address = self._address(said[place + 3])
        requests.append(
            terms.Request(
                kind=said[place], account=said[place + 1], subject=said[place + 2], sender=sender,
                included_ms=said[place + 4],
            )
        )
        place += 6
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
    log Listed(rollup=rollup, pages=pages)
    extcall Rollup(rollup).settle(VERSION, SHAPE, msg.sender, head, deposits, payments, requests)


@internal
@pure
def _number(size: uint256, word: uint256) -> uint256:
    """
    @dev The number in so many first bytes of a word. A size above 32 shifts everything out, and leaves no first byte.
    """
    number: uint256 = word >> unsafe_sub(256, size << 3)
    assert size == 0 or number >> (unsafe_sub(size, 1) << 3) != 0, "reader: number"
    assert number < PRIME, "reader: not an element"
    return number


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

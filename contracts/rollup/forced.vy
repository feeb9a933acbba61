# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Forced
@license Apache-2.0
@notice What an operator cannot refuse: the queue of forced requests, their deadline, and the freeze that anybody may
        call when one of them is overdue.
@dev A request costs FEE, fixed at deployment. Without it, one who asks for 80,000 gas a time could make the operator
     prove and settle for many times that, or be frozen. It goes to whoever settles the batch with the request in it, or
     back to its sender after a freeze; the council never sees it.
@custom:kill After `freeze` no batch settles again. There is no way back.
"""
import terms
from rollup import progress

uses: progress


event Requested:
    number: indexed(uint256)
    account: indexed(uint256)
    sender: indexed(address)
    kind: uint256
    subject: uint256
    included_ms: uint256


event Frozen:
    overdue: uint256
    state: uint256


event FeeReturned:
    number: indexed(uint256)
    sender: indexed(address)


event Collected:
    settler: indexed(address)
    amount: uint256


# A forced request in two words: sender, account and second of inclusion; kind and subject.
struct Packed:
    asked: uint256
    what: uint256


FEE: public(immutable(uint256))

# Forced requests by number; those up to `counters.forced` were in a proven batch.
queue: HashMap[uint256, Packed]
# The number of the next request. It begins at one or above, so that nobody pays for the slot but the deployer.
next: uint256
earned: public(HashMap[address, uint256])


@deploy
def __init__(fee: uint256):
    """
    @notice What a request costs, in wei. Requests are numbered from those that the first state has processed.
    """
    FEE = fee
    self.next = progress.counters.forced + 1


@external
@payable
def request_withdrawal(account: uint256, amount: uint256) -> uint256:
    """
    @notice Ask for a withdrawal that the operator cannot refuse: it is proven to be done, or to break a named rule. The
            circuit knows the account's owner on L1; one who is not gets nothing but the proof that it failed.
    @param account A signable account.
    @param amount Smallest units of the token.
    @return The request's number.
    """
    assert account % terms.CHILDREN == 0, "rollup: account"
    assert 0 < amount and amount < terms.AMOUNT_LIMIT, "rollup: amount"
    return self._request(terms.WITHDRAWAL, account, amount)


@external
@payable
def request_close(account: uint256, market: uint256) -> uint256:
    """
    @notice Ask for the closing of a position, at the price of a tick after this block.
    @param account The account that holds it: an isolated position's own, not its parent.
    @param market The market.
    @return The request's number.
    """
    assert 0 < market and market < terms.CHILDREN, "rollup: market"
    return self._request(terms.CLOSE, account, market)


@external
def freeze():
    """
    @notice End the exchange because a forced request is overdue. Anybody may, paused or not.
    """
    assert not progress.frozen, "rollup: frozen"
    assert self._is_overdue(), "rollup: nothing is overdue"
    progress.frozen = True
    log Frozen(overdue=progress.counters.forced + 1, state=progress.state)


@external
def return_fee(number: uint256):
    """
    @notice After a freeze: give back the fee of a request that was not processed. Anybody may; its sender is paid.
    @param number The request's number.
    """
    assert progress.frozen, "rollup: not frozen"
    asked: uint256 = self.queue[number].asked
    assert number > progress.counters.forced and asked != 0, "rollup: no such request"
    self.queue[number] = empty(Packed)
    sender: address = convert(asked >> 96, address)
    log FeeReturned(number=number, sender=sender)
    raw_call(sender, b"", value=FEE)


@external
def collect():
    """
    @notice Pay the caller the fees of the requests whose batches he settled.
    """
    amount: uint256 = self.earned[msg.sender]
    assert amount > 0, "rollup: nothing to collect"
    self.earned[msg.sender] = 0
    log Collected(settler=msg.sender, amount=amount)
    raw_call(msg.sender, b"", value=amount)


@external
@view
def requested() -> uint256:
    """
    @notice How many requests there are: the number of the last one.
    """
    return self.next - 1


@external
@view
def is_overdue() -> bool:
    """
    @notice Whether anybody may freeze.
    """
    return not progress.frozen and self._is_overdue()


@external
@view
def request_of(number: uint256) -> terms.Request:
    """
    @notice A forced request, processed or not; all zero if there is none.
    """
    return self._request_of(number)


@internal
@payable
def _request(kind: uint256, account: uint256, subject: uint256) -> uint256:
    """
    @dev The queue's next entry. A circuit must be able to say every field, or the queue would stand still.
    """
    assert not progress.frozen, "rollup: frozen"
    assert msg.value == FEE, "rollup: fee"
    assert 0 < account and account < terms.ACCOUNT_LIMIT, "rollup: account"
    number: uint256 = self.next
    self.next = number + 1
    self.queue[number] = Packed(
        asked=(convert(msg.sender, uint256) << 96) | (account << 64) | block.timestamp, what=(kind << 64) | subject
    )
    log Requested(
        number=number,
        account=account,
        sender=msg.sender,
        kind=kind,
        subject=subject,
        included_ms=block.timestamp * 1000,
    )
    return number


@internal
def _process(processed: uint256, requests: DynArray[terms.Request, terms.LIST_MAX], settler: address):
    """
    @dev The forced requests of a statement are the next ones of the queue; who settles them earns their fees.
    """
    number: uint256 = processed
    assert number + len(requests) < self.next, "rollup: no such request"
    for said: terms.Request in requests:
        number += 1
        waiting: terms.Request = self._request_of(number)
        assert said.kind == waiting.kind, "rollup: another kind of request"
        assert said.account == waiting.account, "rollup: another account"
        assert said.subject == waiting.subject, "rollup: another amount or market"
        assert said.sender == waiting.sender, "rollup: another sender"
        assert said.included_ms == waiting.included_ms, "rollup: another time of inclusion"
    if len(requests) > 0:
        self.earned[settler] += FEE * len(requests)


@internal
@view
def _request_of(number: uint256) -> terms.Request:
    packed: Packed = self.queue[number]
    return terms.Request(
        kind=packed.what >> 64,
        account=(packed.asked >> 64) & (2**32 - 1),
        subject=packed.what & (2**64 - 1),
        sender=convert(packed.asked >> 96, address),
        included_ms=(packed.asked & (2**64 - 1)) * 1000,
    )


@internal
@view
def _is_overdue() -> bool:
    """
    @dev Whether the oldest request that no batch processed waits for longer than the deadline.
    """
    number: uint256 = progress.counters.forced + 1
    if number >= self.next:
        return False
    return block.timestamp > (self.queue[number].asked & (2**64 - 1)) + terms.FORCED_DEADLINE

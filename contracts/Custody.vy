# pragma version 0.4.3
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Custody
@license Apache-2.0
@notice Holds the collateral: takes deposits into a queue, books what the rollup has proven, and pays claims. It decides
        nothing.
@dev One token: each settlement asset has a Custody of its own, so that its balance backs one asset's accounts alone.
     A token that takes a fee on a transfer is refused; one that moves balances by itself is not for it.

     What it owes is what waits in the queue, what the accounts on L2 hold (`backing`), and what can be claimed.
     Payments come out of `backing`, whatever the rollup says: no proof, true or false, reaches the queue or a claim.

     How a deposit is cancelled. The queue is taken in order, and a batch that was sealed before its depositor changed
     his mind must still settle. So he announces, waits CANCEL_DELAY, and finishes. Until it is finished the rollup may
     take the deposit like any other; once it is finished the rollup steps over it, and the ledger never hears of it:
     numbers on L2 count what was taken. A batch sealed before the announcement is at most AHEAD past it and settles
     within SUBMISSION_WINDOW or never, which is over when the cancellation can be finished: so no batch is spoiled by a
     cancellation that its sealer could not have known. Anybody may finish, so that a depositor who waits with it cannot
     hold up those behind him. After a freeze nothing is taken any more, and a deposit is given back at once.
@custom:kill Nothing here can be stopped or changed. The rollup says whether new deposits are taken.
"""
from ethereum.ercs import IERC20

import terms


interface Rollup:
    def takes_deposits() -> bool: view
    def frozen() -> bool: view


event Deposited:
    number: indexed(uint256)
    account: indexed(uint256)
    amount: uint256
    depositor: indexed(address)


event CancelAnnounced:
    number: indexed(uint256)
    ready_s: uint256


event Cancelled:
    number: indexed(uint256)
    amount: uint256
    depositor: indexed(address)


event Taken:
    last: uint256
    count: uint256


event Owed:
    recipient: indexed(address)
    amount: uint256


event Claimed:
    recipient: indexed(address)
    amount: uint256


QUEUED_BITS: constant(uint256) = 96
STEPS: constant(uint256) = 32  # cancelled deposits in a row that a batch steps over by itself

TOKEN: public(immutable(IERC20))
DEPLOYER: immutable(address)

# The rollup's address, above QUEUED_BITS bits for how many deposits there were: a deposit asks for both, in one slot.
rollup_and_queued: uint256
# Deposits by number, counted from 1: account, amount and depositor in one word; zero once it is cancelled.
queue: HashMap[uint256, uint256]
# Those up to here were taken or cancelled.
passed: public(uint256)
# When a cancellation can be finished; zero if none was announced.
cancellable_s: public(HashMap[uint256, uint256])
# What the accounts and funds on L2 hold.
backing: public(uint256)
claimable: public(HashMap[address, uint256])


@deploy
def __init__(token: address):
    """
    @notice The collateral's token.
    """
    TOKEN = IERC20(token)
    DEPLOYER = msg.sender


@external
def bind(rollup: address):
    """
    @notice Name the rollup, once: the two contracts need each other's address.
    """
    assert msg.sender == DEPLOYER, "custody: not the deployer"
    assert self.rollup_and_queued == 0, "custody: bound"
    assert rollup != empty(address), "custody: no rollup"
    self.rollup_and_queued = convert(rollup, uint256) << QUEUED_BITS


@external
def deposit(account: uint256, amount: uint256) -> uint256:
    """
    @notice Take collateral for an account on L2.
    @param account The account's number: a signable one.
    @param amount Smallest units of the token.
    @return The deposit's number in the queue.
    """
    assert 0 < account and account < terms.ACCOUNT_LIMIT and account % terms.CHILDREN == 0, "custody: account"
    return self._deposit(account, amount)


@external
def deposit_for_insurance(amount: uint256) -> uint256:
    """
    @notice A gift to the insurance fund, which is account 0. It has a name of its own so that nobody makes it by
            forgetting an account.
    @param amount Smallest units of the token.
    @return The deposit's number in the queue.
    """
    return self._deposit(0, amount)


@external
def announce_cancel(number: uint256):
    """
    @notice Begin to cancel a deposit of the caller's that was not taken.
    @param number The deposit's number in the queue.
    """
    said: terms.Deposit = self._deposit_of(number)
    assert said.amount > 0 and number > self.passed, "custody: no such deposit"
    assert msg.sender == said.depositor, "custody: not the depositor"
    assert self.cancellable_s[number] == 0, "custody: announced"
    ready_s: uint256 = block.timestamp + terms.CANCEL_DELAY
    self.cancellable_s[number] = ready_s
    log CancelAnnounced(number=number, ready_s=ready_s)


@external
def finish_cancel(number: uint256):
    """
    @notice Give a deposit back that was not taken: when its cancellation was announced long enough ago, or when the
            rollup is frozen. Anybody may do it; the depositor is paid.
    @param number The deposit's number in the queue.
    """
    said: terms.Deposit = self._deposit_of(number)
    assert said.amount > 0 and number > self.passed, "custody: no such deposit"
    if not staticcall Rollup(self._rollup(self.rollup_and_queued)).frozen():
        ready_s: uint256 = self.cancellable_s[number]
        assert ready_s > 0, "custody: not announced"
        assert block.timestamp >= ready_s, "custody: too early"
    self.queue[number] = 0
    log Cancelled(number=number, amount=said.amount, depositor=said.depositor)
    self._send(said.depositor, said.amount)


@external
def step_over(count: uint256):
    """
    @notice Pass cancelled deposits at the queue's head. A batch passes up to 32 in a row by itself; somebody who
            cancels thousands must not make one unpayable.
    @param count So many.
    """
    number: uint256 = self.passed
    assert count <= self._queued(self.rollup_and_queued) - number, "custody: no such deposit"
    for step: uint256 in range(count, bound=1024):
        number += 1
        assert self.queue[number] == 0, "custody: not cancelled"
    self.passed = number


@external
def settle(
    deposits: DynArray[terms.Deposit, terms.LIST_MAX], payments: DynArray[terms.Payment, terms.LIST_MAX]
):
    """
    @notice Book what the rollup has proven: which deposits its accounts were credited, and what they paid out.
    @param deposits The next ones of the queue that are not cancelled, in order.
    @param payments What recipients can claim from now on.
    """
    both: uint256 = self.rollup_and_queued
    assert msg.sender == self._rollup(both), "custody: not the rollup"
    backing: uint256 = self.backing
    if len(deposits) > 0:
        queued: uint256 = self._queued(both)
        number: uint256 = self.passed
        for said: terms.Deposit in deposits:
            for step: uint256 in range(STEPS):
                if number == queued or self.queue[number + 1] != 0:
                    break
                number += 1
            assert number < queued, "custody: no such deposit"
            number += 1
            waiting: terms.Deposit = self._deposit_of(number)
            assert waiting.amount > 0, "custody: step over first"
            assert said.account == waiting.account, "custody: another account"
            assert said.amount == waiting.amount, "custody: another amount"
            assert said.depositor == waiting.depositor, "custody: another depositor"
            backing += said.amount
        self.passed = number
        log Taken(last=number, count=len(deposits))
    for said: terms.Payment in payments:
        assert said.recipient != empty(address), "custody: recipient"
        assert 0 < said.amount and said.amount < terms.AMOUNT_LIMIT, "custody: amount"
        assert said.amount <= backing, "custody: more than accounts hold"
        backing -= said.amount
        self.claimable[said.recipient] += said.amount
        log Owed(recipient=said.recipient, amount=said.amount)
    self.backing = backing


@external
def claim(recipient: address) -> uint256:
    """
    @notice Send a recipient all that he can claim; anybody may ask for it.
    @return The amount.
    """
    amount: uint256 = self.claimable[recipient]
    assert amount > 0, "custody: nothing to claim"
    self.claimable[recipient] = 0
    log Claimed(recipient=recipient, amount=amount)
    self._send(recipient, amount)
    return amount


@external
@view
def rollup() -> address:
    """
    @notice Whose word custody takes; zero before `bind`.
    """
    return self._rollup(self.rollup_and_queued)


@external
@view
def queued() -> uint256:
    """
    @notice How many deposits there were: the number of the last one.
    """
    return self._queued(self.rollup_and_queued)


@external
@view
def deposit_of(number: uint256) -> terms.Deposit:
    """
    @notice A deposit of the queue; all zero if there is none or it was cancelled.
    """
    return self._deposit_of(number)


@internal
def _deposit(account: uint256, amount: uint256) -> uint256:
    """
    @dev The queue's next entry, and the tokens for it.
    """
    both: uint256 = self.rollup_and_queued
    assert both != 0, "custody: not bound"
    assert staticcall Rollup(self._rollup(both)).takes_deposits(), "custody: paused"
    assert 0 < amount and amount < terms.AMOUNT_LIMIT, "custody: amount"
    number: uint256 = self._queued(both) + 1
    self.rollup_and_queued = both + 1
    self.queue[number] = (account << 224) | (amount << 160) | convert(msg.sender, uint256)
    log Deposited(number=number, account=account, amount=amount, depositor=msg.sender)
    before: uint256 = staticcall TOKEN.balanceOf(self)
    assert extcall TOKEN.transferFrom(msg.sender, self, amount, default_return_value=True), "custody: transfer"
    assert staticcall TOKEN.balanceOf(self) == before + amount, "custody: the token kept a part"
    return number


@internal
def _send(recipient: address, amount: uint256):
    """
    @dev Tokens out, and no more than these: a fee on top would be paid by all others. Called last, when the books are
         done.
    """
    before: uint256 = staticcall TOKEN.balanceOf(self)
    assert extcall TOKEN.transfer(recipient, amount, default_return_value=True), "custody: transfer"
    assert staticcall TOKEN.balanceOf(self) + amount == before, "custody: the token took another amount"


@internal
@pure
def _rollup(both: uint256) -> address:
    return convert(both >> QUEUED_BITS, address)


@internal
@pure
def _queued(both: uint256) -> uint256:
    return both & (2**QUEUED_BITS - 1)


@internal
@view
def _deposit_of(number: uint256) -> terms.Deposit:
    packed: uint256 = self.queue[number]
    return terms.Deposit(
        account=packed >> 224,
        amount=(packed >> 160) & (2**64 - 1),
        depositor=convert(packed & (2**160 - 1), address),
    )

# pragma version 0.4.3
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Custody
@license Apache-2.0
@notice Holds the collateral: takes deposits into a queue, and pays what the rollup has proven may be paid. It decides
        nothing.
@dev One token. What it owes is what waits in the queue, what the rollup's accounts hold, and what can be claimed; a
     token that takes a fee on a transfer, or moves balances by itself, is not for it.
@custom:kill Nothing here can be stopped or changed.
"""
from ethereum.ercs import IERC20


event Deposited:
    number: indexed(uint256)
    account: indexed(uint256)
    amount: uint256
    depositor: address


event Owed:
    recipient: indexed(address)
    amount: uint256


event Claimed:
    recipient: indexed(address)
    amount: uint256


struct Deposit:
    account: uint256
    amount: uint256


ACCOUNT_LIMIT: constant(uint256) = 2**32
CHILDREN: constant(uint256) = 64  # accounts that can be deposited to are multiples of it
AMOUNT_LIMIT: constant(uint256) = 2**63

TOKEN: public(immutable(IERC20))
DEPLOYER: immutable(address)

rollup: public(address)
# Deposits by number, counted from 1; those up to `taken` are in a proven batch.
queue: public(HashMap[uint256, Deposit])
queued: public(uint256)
taken: public(uint256)
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
    assert self.rollup == empty(address) and rollup != empty(address), "custody: bound"
    self.rollup = rollup


@external
def deposit(account: uint256, amount: uint256) -> uint256:
    """
    @notice Take collateral for an account on L2.
    @param account The account's number.
    @param amount Smallest units of the token.
    @return The deposit's number in the queue.
    """
    assert self.rollup != empty(address), "custody: not bound"
    assert 0 < account and account < ACCOUNT_LIMIT and account % CHILDREN == 0, "custody: account"
    assert 0 < amount and amount < AMOUNT_LIMIT, "custody: amount"
    number: uint256 = self.queued + 1
    self.queued = number
    self.queue[number] = Deposit(account=account, amount=amount)
    before: uint256 = staticcall TOKEN.balanceOf(self)
    assert extcall TOKEN.transferFrom(msg.sender, self, amount, default_return_value=True), "custody: transfer"
    assert staticcall TOKEN.balanceOf(self) == before + amount, "custody: the token kept a part"
    log Deposited(number=number, account=account, amount=amount, depositor=msg.sender)
    return number


@external
def take(count: uint256):
    """
    @notice The rollup has credited so many more deposits.
    """
    assert msg.sender == self.rollup, "custody: not the rollup"
    assert self.taken + count <= self.queued, "custody: no such deposit"
    self.taken += count


@external
def pay(recipient: address, amount: uint256):
    """
    @notice The rollup has proven that an account paid this out.
    """
    assert msg.sender == self.rollup, "custody: not the rollup"
    self.claimable[recipient] += amount
    log Owed(recipient=recipient, amount=amount)


@external
def claim(recipient: address) -> uint256:
    """
    @notice Send a recipient all that he can claim; anybody may ask for it.
    @return The amount.
    """
    amount: uint256 = self.claimable[recipient]
    assert amount > 0, "custody: nothing to claim"
    self.claimable[recipient] = 0
    assert extcall TOKEN.transfer(recipient, amount, default_return_value=True), "custody: transfer"
    log Claimed(recipient=recipient, amount=amount)
    return amount

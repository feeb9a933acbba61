# pragma version 0.4.3
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Escape
@license Apache-2.0
@notice After a freeze: what every account of the last state is worth, proven by anybody from published data, and how
        its owner on L1 gets it.
@dev A proven statement settles some accounts of the rollup's last state and lists whom to pay how much. Statements
     follow each other from the accounts' root in that state to the root of the empty tree, which says that everybody
     was settled, each once. Only then is it known how much is owed in all, and what a claim is worth: all of it where
     custody backs it all, else the same share for everyone, rounded down. So claims never exceed what backs them.

     A statement names each account that it settles, and of no other anything changed: so whoever knows the last state
     can go on where somebody else stopped. Whoever submits a statement of few accounts makes proofs that others made
     of the same ones useless, but brings the end nearer: no statement settles nobody.

     Of each statement one word is kept, the root of a Keccak tree over its payouts; owners show their path.
@custom:kill Nothing here can be stopped or changed, and nothing works before the rollup is frozen.
"""
import payouts
import terms


interface Verifier:
    def is_proven(digest: bytes32) -> bool: view


interface Custody:
    def rollup() -> address: view
    def backing() -> uint256: view


interface Rollup:
    def state() -> uint256: view
    def frozen() -> bool: view
    def release(payments: DynArray[terms.Payment, terms.LIST_MAX]): nonpayable


event Settled:
    chunk: indexed(uint256)
    accounts: uint256  # the root that is left
    total: uint256  # owed so far, before any haircut


event Finished:
    total: uint256
    backing: uint256


event Claimed:
    chunk: indexed(uint256)
    place: indexed(uint256)
    owner: indexed(address)
    amount: uint256


CUSTODY: public(immutable(Custody))
VERIFIER: public(immutable(Verifier))

# The root of the accounts that are left to settle.
accounts: public(uint256)
# Statements so far, and the root of each one's payouts.
chunks: public(uint256)
roots: public(HashMap[uint256, bytes32])
# Of all accounts that were settled and have an owner, before any haircut.
total: public(uint256)
# What custody held for accounts and funds when the last one was settled.
backing: public(uint256)
is_finished: public(bool)
# Which payouts of a statement were claimed: one bit a place, a word for each 256 of them.
claimed: public(HashMap[uint256, HashMap[uint256, uint256]])


@deploy
def __init__(custody: address, verifier: address):
    """
    @notice What holds the collateral, and names the rollup; and who says that a statement is proven.
    """
    CUSTODY = Custody(custody)
    VERIFIER = Verifier(verifier)


@external
def settle(said: uint256[payouts.LENGTH]):
    """
    @notice Take the next statement. Anybody may.
    @param said The statement's elements, which the verifier has seen proven.
    """
    assert staticcall VERIFIER.is_proven(keccak256(abi_encode(said))), "escape: not proven"
    rollup: Rollup = Rollup(staticcall CUSTODY.rollup())
    assert staticcall rollup.frozen(), "escape: not frozen"
    assert said[payouts.STATE] == staticcall rollup.state(), "escape: another state"
    assert not self.is_finished, "escape: finished"
    chunk: uint256 = self.chunks
    left: uint256 = said[payouts.ACCOUNTS_START]
    if chunk > 0:
        left = self.accounts
    after: uint256 = said[payouts.ACCOUNTS_AFTER]
    assert said[payouts.ACCOUNTS_BEFORE] == left, "escape: another root"
    assert after != left or left == payouts.NOBODY_LEFT, "escape: nothing settled"

    total: uint256 = self.total
    nodes: bytes32[payouts.COUNT] = empty(bytes32[payouts.COUNT])
    at: uint256 = payouts.START
    for place: uint256 in range(payouts.COUNT):
        owner: uint256 = said[at + 1]
        amount: uint256 = said[at + 2]
        used: uint256 = said[at + 3]
        assert used <= 1, "escape: used or not"
        assert used == 1 or said[at] | owner | amount == 0, "escape: unused, but not empty"
        nodes[place] = self._leaf(place, owner, amount)
        if 0 < owner and owner < 2**160:  # what is nobody's is no claim, and takes nothing from those that are
            total += amount
        at += 4
    count: uint256 = payouts.COUNT
    for depth: uint256 in range(payouts.DEPTH):
        count = count // 2
        for place: uint256 in range(count, bound=payouts.COUNT):
            nodes[place] = keccak256(concat(nodes[2 * place], nodes[2 * place + 1]))
    self.roots[chunk] = nodes[0]
    self.chunks = chunk + 1
    self.accounts = after
    self.total = total
    log Settled(chunk=chunk, accounts=after, total=total)
    if after == payouts.NOBODY_LEFT:
        backing: uint256 = staticcall CUSTODY.backing()
        self.is_finished = True
        self.backing = backing
        log Finished(total=total, backing=backing)


@external
def claim(
    chunk: uint256, place: uint256, owner: uint256, amount: uint256, path: bytes32[payouts.DEPTH]
) -> uint256:
    """
    @notice Make a payout claimable from custody, once. Anybody may; its owner is paid.
    @param chunk Which statement, counted from 0.
    @param place Where the payout stands in its list.
    @param owner Whom it is for, as the statement has it.
    @param amount How much, before any haircut.
    @param path The payout's siblings in the Keccak tree, lowest first.
    @return What custody owes the owner for it.
    """
    assert self.is_finished, "escape: not finished"
    assert chunk < self.chunks and place < payouts.COUNT, "escape: no such payout"
    node: bytes32 = self._leaf(place, owner, amount)
    for depth: uint256 in range(payouts.DEPTH):
        if (place >> depth) & 1 == 1:
            node = keccak256(concat(path[depth], node))
        else:
            node = keccak256(concat(node, path[depth]))
    assert node == self.roots[chunk], "escape: path"
    bit: uint256 = 1 << (place % 256)
    claimed: uint256 = self.claimed[chunk][place // 256]
    assert claimed & bit == 0, "escape: claimed"
    assert 0 < owner and owner < 2**160, "escape: nobody"
    owed: uint256 = amount
    if self.total > self.backing:
        owed = amount * self.backing // self.total
    assert owed > 0, "escape: nothing to claim"
    self.claimed[chunk][place // 256] = claimed | bit
    recipient: address = convert(owner, address)
    log Claimed(chunk=chunk, place=place, owner=recipient, amount=owed)
    extcall Rollup(staticcall CUSTODY.rollup()).release([terms.Payment(recipient=recipient, amount=owed)])
    return owed


@internal
@pure
def _leaf(place: uint256, owner: uint256, amount: uint256) -> bytes32:
    """
    @dev 96 bytes, where a node hashes 64: neither is taken for the other. Places without a payout have zeros.
    """
    return keccak256(abi_encode(place, owner, amount))

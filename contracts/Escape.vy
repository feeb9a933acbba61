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

     Payouts are on pages, which a statement names by their digests. A page is read once, by anybody and whenever he
     likes, and what was read is kept under its digest: the root of a Keccak tree over its payouts, and their sum. It
     means nothing before a proven statement names that page. Owners show their path in it.
@custom:kill Nothing here can be stopped or changed, and nothing is settled or claimed before the rollup is frozen.
"""
import payouts
import shape as proofs
import terms


interface Verifier:
    def is_proven(digest: bytes32) -> bool: view
    def publish(claim: uint256[proofs.CLAIM], page: uint256, listed: Bytes[proofs.PAGE_BYTES]) -> bool: nonpayable


interface Custody:
    def rollup() -> address: view
    def backing() -> uint256: view


interface Rollup:
    def state() -> uint256: view
    def frozen() -> bool: view
    def release(payments: DynArray[terms.Payment, terms.LIST_MAX]): nonpayable


struct Read:
    root: bytes32  # of the Keccak tree over a page's payouts; zero for a page that nobody has read
    total: uint256  # of those that somebody owns, before any haircut


event Settled:
    chunk: indexed(uint256)  # of the statement's first page, if it has any
    pages: uint256[payouts.PAGES]  # their digests; zero where there is none
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


# The statement's entries: owner + amount * 2**160.
OWNER_BITS: constant(uint256) = 160
AMOUNT_BITS: constant(uint256) = 91
PLACES: constant(uint256) = 2**payouts.DEPTH

CUSTODY: public(immutable(Custody))
VERIFIER: public(immutable(Verifier))

# The root of the accounts that are left to settle.
accounts: public(uint256)
# What was read, by a page's digest.
pages: public(HashMap[uint256, Read])
# Statements so far; pages so far, which are numbered as they were settled, and the root of each one's payouts.
statements: public(uint256)
chunks: public(uint256)
roots: public(HashMap[uint256, bytes32])
# Of all accounts that were settled and have an owner, before any haircut.
total: public(uint256)
# What custody held for accounts and funds when the last one was settled.
backing: public(uint256)
is_finished: public(bool)
# Which payouts of a page were claimed: one bit a place, a word for each 256 of them.
claimed: public(HashMap[uint256, HashMap[uint256, uint256]])


@deploy
def __init__(custody: address, verifier: address):
    """
    @notice What holds the collateral, and names the rollup; and who says that a statement is proven.
    """
    CUSTODY = Custody(custody)
    VERIFIER = Verifier(verifier)


@external
def publish(claim: uint256[proofs.CLAIM], page: uint256, listed: Bytes[proofs.PAGE_BYTES]) -> bool:
    """
    @notice Publish a page of an opened proof's statement, and read it in the same transaction.
    @param claim See `Verifier.publish`.
    @param page See `Verifier.publish`.
    @param listed See `Verifier.publish`.
    @return Whether the statement is proven now.
    """
    done: bool = extcall VERIFIER.publish(claim, page, listed)
    self._read(listed)
    return done


@external
def read(listed: Bytes[proofs.PAGE_BYTES]):
    """
    @notice Read a page that somebody published without reading it here.
    @param listed Its bytes. Others than those of a proven page do no harm: no statement names them.
    """
    self._read(listed)


@external
def settle(said: uint256[payouts.LENGTH]):
    """
    @notice Take the next statement. Anybody may, once its pages were read.
    @param said The statement's words, which the verifier has seen proven: elements, and digests of pages.
    """
    assert staticcall VERIFIER.is_proven(keccak256(abi_encode(said))), "escape: not proven"
    rollup: Rollup = Rollup(staticcall CUSTODY.rollup())
    assert staticcall rollup.frozen(), "escape: not frozen"
    assert said[payouts.STATE] == staticcall rollup.state(), "escape: another state"
    assert not self.is_finished, "escape: finished"
    left: uint256 = said[payouts.ACCOUNTS_START]
    if self.statements > 0:
        left = self.accounts
    after: uint256 = said[payouts.ACCOUNTS_AFTER]
    assert said[payouts.ACCOUNTS_BEFORE] == left, "escape: another root"
    assert after != left or left == payouts.NOBODY_LEFT, "escape: nothing settled"

    first: uint256 = self.chunks
    chunk: uint256 = first
    total: uint256 = self.total
    digests: uint256[payouts.PAGES] = empty(uint256[payouts.PAGES])
    for place: uint256 in range(payouts.PAGES):
        digest: uint256 = said[payouts.ELEMENTS + place]
        if digest != 0:
            found: Read = self.pages[digest]
            assert found.root != empty(bytes32), "escape: a page was not read"
            digests[place] = digest
            self.roots[chunk] = found.root
            total += found.total
            chunk += 1
    self.statements += 1
    self.chunks = chunk
    self.accounts = after
    self.total = total
    log Settled(chunk=first, pages=digests, accounts=after, total=total)
    if after == payouts.NOBODY_LEFT:
        backing: uint256 = staticcall CUSTODY.backing()
        self.is_finished = True
        self.backing = backing
        log Finished(total=total, backing=backing)


@external
def claim(
    chunk: uint256, place: uint256, owner: address, amount: uint256, path: bytes32[payouts.DEPTH]
) -> uint256:
    """
    @notice Make a payout claimable from custody, once. Anybody may; its owner is paid.
    @param chunk Which page, counted from 0 in the order in which they were settled.
    @param place Where the payout stands on it.
    @param owner Whom it is for, as the page has it.
    @param amount How much, before any haircut.
    @param path The payout's siblings in the Keccak tree, lowest first; zero where nothing is.
    @return What custody owes the owner for it.
    """
    assert self.is_finished, "escape: not finished"
    # A larger amount would be cut off, and another's path fit it.
    assert chunk < self.chunks and place < PLACES and amount >> AMOUNT_BITS == 0, "escape: no such payout"
    node: bytes32 = keccak256(convert((amount << OWNER_BITS) | convert(owner, uint256), bytes32))
    for depth: uint256 in range(payouts.DEPTH):
        if (place >> depth) & 1 == 1:
            node = keccak256(abi_encode(path[depth], node))
        else:
            node = keccak256(abi_encode(node, path[depth]))
    assert node == self.roots[chunk], "escape: path"
    bit: uint256 = 1 << (place % 256)
    claimed: uint256 = self.claimed[chunk][place // 256]
    assert claimed & bit == 0, "escape: claimed"
    assert owner != empty(address), "escape: nobody"
    owed: uint256 = amount
    if self.total > self.backing:
        owed = amount * self.backing // self.total
    assert owed > 0, "escape: nothing to claim"
    self.claimed[chunk][place // 256] = claimed | bit
    log Claimed(chunk=chunk, place=place, owner=owner, amount=owed)
    extcall Rollup(staticcall CUSTODY.rollup()).release([terms.Payment(recipient=owner, amount=owed)])
    return owed


@internal
def _read(listed: Bytes[proofs.PAGE_BYTES]):
    """
    @dev The tree of a page, and what it owes. `verifier/Pages.vy` has checked the form of every page that a proven
         statement names, so none of it is checked here: of other bytes whatever comes out is kept under a digest that
         no statement will name.

         A leaf hashes 32 bytes, a node 64: neither is taken for the other. Leaves are taken one after the other, and
         of each depth the one node is kept that has no neighbour yet; whatever has none at the end stands beside zero.
         So a page of few payouts takes few hashes, however deep the tree is.
    """
    digest: uint256 = convert(keccak256(listed), uint256)
    if self.pages[digest].root != empty(bytes32):
        return
    assert len(listed) > 64, "escape: no page"
    end: uint256 = len(listed) - 64
    alone: bytes32[payouts.DEPTH + 1] = empty(bytes32[payouts.DEPTH + 1])
    count: uint256 = 0
    total: uint256 = 0
    at: uint256 = 0
    for _: uint256 in range(PLACES):
        if at >= end:
            break
        # How many bytes the account's step has, how many the payout, then those bytes.
        sizes: uint256 = extract32(listed, at, output_type=uint256)
        size: uint256 = (sizes >> 240) & 255
        at = unsafe_add(unsafe_add(at, 2), sizes >> 248)
        packed: uint256 = extract32(listed, at, output_type=uint256) >> unsafe_sub(256, size << 3)
        at = unsafe_add(at, size)
        node: bytes32 = keccak256(convert(packed, bytes32))
        depth: uint256 = 0
        for ended: uint256 in range(payouts.DEPTH):
            if (count >> ended) & 1 == 0:
                break
            node = keccak256(abi_encode(alone[ended], node))
            depth = unsafe_add(ended, 1)
        alone[depth] = node
        count = unsafe_add(count, 1)
        if packed << 96 != 0:  # what is nobody's is no claim, and takes nothing from those that are
            total = unsafe_add(total, packed >> OWNER_BITS)
    assert at == end, "escape: too many payouts"
    root: bytes32 = empty(bytes32)
    for depth: uint256 in range(payouts.DEPTH):
        if (count >> depth) & 1 == 1:
            root = keccak256(abi_encode(alone[depth], root))
        elif root != empty(bytes32):
            root = keccak256(abi_encode(root, empty(bytes32)))
    if count == PLACES:
        root = alone[payouts.DEPTH]
    self.pages[digest] = Read(root=root, total=total)

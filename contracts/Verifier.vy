# pragma version 0.4.3
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Verifier
@license Apache-2.0
@notice Which statements have been proven under one key. A proof takes several transactions, by anybody: one opens it,
        and one for each part answers its queries, in any order.
@dev Keeps two words for each proof in progress. It trusts nothing but the two pure contracts it was made with.
@custom:kill Nothing here can be stopped or changed.
"""
import shape

interface Opening:
    def open(
        statement: uint256[shape.STATEMENT], hints: uint256[shape.HINTS], data: Bytes[shape.HEADER_BYTES]
    ) -> uint256[shape.CLAIM]: view

interface Queries:
    def check(claim: uint256[shape.CLAIM], part: uint256, hint: uint256, data: Bytes[shape.PART_BYTES]) -> bool: pure


event Opened:
    statement: indexed(bytes32)
    claim: indexed(bytes32)


event Proven:
    statement: indexed(bytes32)


OPENING: immutable(Opening)
QUERIES: immutable(Queries)

# Which statement a claim is about, and which of its parts are still to be answered, one bit a part.
statement_of: public(HashMap[bytes32, bytes32])
missing: public(HashMap[bytes32, uint256])
# keccak256 of a statement's words: proven for ever.
is_proven: public(HashMap[bytes32, bool])


@deploy
def __init__(opening: address, queries: address):
    """
    @notice The two pure contracts, compiled for one key.
    """
    OPENING = Opening(opening)
    QUERIES = Queries(queries)


@external
def open(
    statement: uint256[shape.STATEMENT], hints: uint256[shape.HINTS], data: Bytes[shape.HEADER_BYTES]
) -> uint256[shape.CLAIM]:
    """
    @notice Begin a proof: check its head and note which parts are to follow.
    @param statement The words that are proven.
    @param hints See `Opening.open`.
    @param data The head of the proof.
    @return The claim, to be given back with every part. Opening a head again changes nothing: whoever did could else
            take back the parts that others have answered.
    """
    claim: uint256[shape.CLAIM] = staticcall OPENING.open(statement, hints, data)
    digest: bytes32 = keccak256(abi_encode(claim))
    about: bytes32 = keccak256(abi_encode(statement))
    size: uint256 = (claim[shape.CLAIM_COUNT] + shape.PARTS - 1) // shape.PARTS
    parts: uint256 = (claim[shape.CLAIM_COUNT] + size - 1) // size
    if self.statement_of[digest] == empty(bytes32):
        self.statement_of[digest] = about
        self.missing[digest] = 2**parts - 1
        log Opened(statement=about, claim=digest)
    return claim


@external
def answer(claim: uint256[shape.CLAIM], part: uint256, hint: uint256, data: Bytes[shape.PART_BYTES]) -> bool:
    """
    @notice Answer one part of an opened proof's queries; the last one to be answered proves the statement.
    @param claim What `open` returned.
    @param part Which part.
    @param hint See `Queries.check`.
    @param data The part's answers.
    @return Whether the statement is proven now.
    """
    digest: bytes32 = keccak256(abi_encode(claim))
    assert self.statement_of[digest] != empty(bytes32), "verifier: not opened"
    assert part < shape.PARTS and (self.missing[digest] >> part) & 1 == 1, "verifier: no such part to answer"
    assert staticcall QUERIES.check(claim, part, hint, data), "verifier: refused"
    remaining: uint256 = self.missing[digest] - (1 << part)
    self.missing[digest] = remaining
    if remaining == 0:
        about: bytes32 = self.statement_of[digest]
        self.is_proven[about] = True
        log Proven(statement=about)
    return remaining == 0

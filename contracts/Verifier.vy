# pragma version 0.4.3
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Verifier
@license Apache-2.0
@notice Which statements have been proven under one key. A proof takes several transactions, by anybody: one opens it,
        and in any order one for each part answers its queries, and one for each page publishes what it lists.
@dev Keeps two words for each proof in progress. It trusts nothing but the three pure contracts it was made with.
@custom:kill Nothing here can be stopped or changed.
"""
import shape

interface Opening:
    def open(
        statement: uint256[shape.STATEMENT], hints: uint256[shape.HINTS], data: Bytes[shape.HEADER_BYTES]
    ) -> uint256[shape.CLAIM]: view

interface Queries:
    def check(claim: uint256[shape.CLAIM], part: uint256, hint: uint256, data: Bytes[shape.PART_BYTES]) -> bool: pure

interface Pages:
    def check(claim: uint256[shape.CLAIM], page: uint256, data: Bytes[shape.PAGE_BYTES]) -> bool: pure


event Opened:
    statement: indexed(bytes32)
    claim: indexed(bytes32)


event Published:
    digest: indexed(bytes32)


event Proven:
    statement: indexed(bytes32)


OPENING: immutable(Opening)
QUERIES: immutable(Queries)
PAGES: immutable(Pages)

# Which statement a claim is about, and what is still missing: one bit a part, and above these one bit a page.
statement_of: public(HashMap[bytes32, bytes32])
missing: public(HashMap[bytes32, uint256])
# keccak256 of a statement's words: proven for ever.
is_proven: public(HashMap[bytes32, bool])


@deploy
def __init__(opening: address, queries: address, pages: address):
    """
    @notice The three pure contracts, compiled for one key.
    """
    OPENING = Opening(opening)
    QUERIES = Queries(queries)
    PAGES = Pages(pages)


@external
def open(
    statement: uint256[shape.STATEMENT], hints: uint256[shape.HINTS], data: Bytes[shape.HEADER_BYTES]
) -> uint256[shape.CLAIM]:
    """
    @notice Begin a proof: check its head and note which parts and pages are to follow.
    @param statement The words that are proven: elements, and digests of pages.
    @param hints See `Opening.open`.
    @param data The head of the proof.
    @return The claim, to be given back with every part and page. Opening a head again changes nothing: whoever did
            could else take back what others have answered.
    """
    claim: uint256[shape.CLAIM] = staticcall OPENING.open(statement, hints, data)
    self._note(claim, statement)
    return claim


@external
def begin(
    statement: uint256[shape.STATEMENT],
    hints: uint256[shape.HINTS],
    data: Bytes[shape.HEADER_BYTES],
    part: uint256,
    hint: uint256,
    answers: Bytes[shape.PART_BYTES],
    page: uint256,
    listed: Bytes[shape.PAGE_BYTES],
) -> uint256[shape.CLAIM]:
    """
    @notice `open`, and in the same transaction `answer` a part and `publish` a page; what has no bytes is left out.
    @param statement See `open`.
    @param hints See `open`.
    @param data See `open`.
    @param part See `answer`.
    @param hint See `answer`.
    @param answers See `answer`.
    @param page See `publish`.
    @param listed See `publish`.
    @return The claim.
    """
    claim: uint256[shape.CLAIM] = staticcall OPENING.open(statement, hints, data)
    digest: bytes32 = self._note(claim, statement)
    if len(answers) > 0:
        self._expect_part(digest, part)
        assert staticcall QUERIES.check(claim, part, hint, answers), "verifier: refused"
        self._done(digest, part)
    if len(listed) > 0:
        self._expect_page(digest, page)
        assert staticcall PAGES.check(claim, page, listed), "verifier: refused"
        log Published(digest=keccak256(listed))
        self._done(digest, shape.PARTS + page)
    return claim


@external
def publish(claim: uint256[shape.CLAIM], page: uint256, listed: Bytes[shape.PAGE_BYTES]) -> bool:
    """
    @notice Publish a page of what an opened proof's statement lists.
    @param claim What `open` returned.
    @param page Which page.
    @param listed Its bytes: see `Pages`.
    @return Whether the statement is proven now.
    """
    digest: bytes32 = keccak256(abi_encode(claim))
    self._expect_page(digest, page)
    assert staticcall PAGES.check(claim, page, listed), "verifier: refused"
    log Published(digest=keccak256(listed))
    return self._done(digest, shape.PARTS + page)


@external
def answer(claim: uint256[shape.CLAIM], part: uint256, hint: uint256, data: Bytes[shape.PART_BYTES]) -> bool:
    """
    @notice Answer one part of an opened proof's queries; what was missing last, part or page, proves the statement.
    @param claim What `open` returned.
    @param part Which part.
    @param hint See `Queries.check`.
    @param data The part's answers.
    @return Whether the statement is proven now.
    """
    digest: bytes32 = keccak256(abi_encode(claim))
    self._expect_part(digest, part)
    assert staticcall QUERIES.check(claim, part, hint, data), "verifier: refused"
    return self._done(digest, part)


# Whoever is given bytes hands them on himself: an internal function would copy them once more.


@internal
def _note(claim: uint256[shape.CLAIM], statement: uint256[shape.STATEMENT]) -> bytes32:
    """
    @dev The digest of a claim, which is noted unless it was already.
    """
    digest: bytes32 = keccak256(abi_encode(claim))
    about: bytes32 = keccak256(abi_encode(statement))
    parts: uint256 = (claim[shape.CLAIM_COUNT] + shape.PART_QUERIES - 1) // shape.PART_QUERIES
    if self.statement_of[digest] == empty(bytes32):
        self.statement_of[digest] = about
        missing: uint256 = 2**parts - 1
        for page: uint256 in range(shape.PAGES_BOUND):
            if page < shape.PAGES and statement[shape.ELEMENTS + page] != 0:
                missing += 1 << (shape.PARTS + page)
        self.missing[digest] = missing
        log Opened(statement=about, claim=digest)
    return digest


@internal
@view
def _expect_part(digest: bytes32, part: uint256):
    """
    @dev Refuse a part that an opened proof does not lack.
    """
    assert part < shape.PARTS and self._is_missing(digest, part), "verifier: no such part to answer"


@internal
@view
def _expect_page(digest: bytes32, page: uint256):
    """
    @dev Refuse a page that an opened proof does not lack.
    """
    assert page < shape.PAGES and self._is_missing(digest, shape.PARTS + page), "verifier: no such page to publish"


@internal
@view
def _is_missing(digest: bytes32, bit: uint256) -> bool:
    """
    @dev Whether an opened proof lacks a part or page.
    """
    assert self.statement_of[digest] != empty(bytes32), "verifier: not opened"
    return (self.missing[digest] >> bit) & 1 == 1


@internal
def _done(digest: bytes32, bit: uint256) -> bool:
    """
    @dev Take a part or page off what is missing; whether nothing is.
    """
    remaining: uint256 = self.missing[digest] - (1 << bit)
    self.missing[digest] = remaining
    if remaining == 0:
        about: bytes32 = self.statement_of[digest]
        self.is_proven[about] = True
        log Proven(statement=about)
    return remaining == 0

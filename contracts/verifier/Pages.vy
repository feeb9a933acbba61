# pragma version 0.4.3
# pragma optimize gas
"""
@title Pages
@license Apache-2.0
@notice What a proven statement lists, page by page: the bytes that were claimed, and what they add to the buses.
@dev Pure. As `stark.air.listing` has it: an entry is how many bytes its step has, how many its value has, then these
     bytes, the highest first, which is not zero; a step is what a key adds to the one before it, which is something.
     Sixty-four zero bytes end a page, so that every number can be read as a whole word. Entries are messages on one
     bus, each a fraction; they are summed as one, so that nothing is divided. Sums of what loops bound are not checked.
"""
import shape

PRIME: constant(uint256) = 2**251 + 17 * 2**192 + 1


@external
@pure
def check(claim: uint256[shape.CLAIM], page: uint256, data: Bytes[shape.PAGE_BYTES]) -> bool:
    """
    @notice Check a page; reverts with a reason unless it is what the claim says.
    @param claim What `Opening.open` returned.
    @param page Which page, from 0.
    @param data Its bytes.
    @return Always true.
    """
    assert page < shape.PAGES, "pages: no such page"
    at: uint256 = shape.CLAIM_POINT + 2 + 2 * page
    assert convert(keccak256(data), uint256) == claim[at], "pages: other bytes"
    # What a fraction is divided by: the point less bus, key and value, each times its power of the base.
    base: uint256 = claim[shape.CLAIM_POINT + 1]
    start: uint256 = uint256_addmod(claim[shape.CLAIM_POINT], PRIME - shape.BUS, PRIME)
    of_key: uint256 = PRIME - base
    of_value: uint256 = PRIME - uint256_mulmod(base, base, PRIME)
    above: uint256 = 0
    below: uint256 = 1
    key: uint256 = 0
    assert len(data) > 64, "pages: ends early"
    end: uint256 = len(data) - 64
    place: uint256 = 0
    for _: uint256 in range(shape.PAGE_ENTRIES):
        if place >= end:
            break
        word: uint256 = extract32(data, place, output_type=uint256)
        # Sizes, and how far the value stands from the word's start, in bits: shifts are by bits.
        size: uint256 = (word >> 248) << 3
        value_size: uint256 = (word >> 237) & 2040
        step: uint256 = (word << 16) >> unsafe_sub(256, size)
        value: uint256 = (word << unsafe_add(size, 16)) >> unsafe_sub(256, value_size)
        if unsafe_add(size, value_size) > 240:
            # It goes on behind the word. Only a value of 32 bytes, or of more than there are, is not below the prime.
            assert size <= 240, "pages: step"
            value = extract32(data, unsafe_add(place, unsafe_add(size >> 3, 2)), output_type=uint256)
            value = value >> unsafe_sub(256, value_size)
            if value_size > 248:
                assert value_size == 256, "pages: number"
                assert value < PRIME, "pages: not an element"
        # The highest bytes are seen together, by their product: it is zero for a size of zero too.
        if unsafe_mul(step >> unsafe_sub(size, 8), value >> unsafe_sub(value_size, 8)) == 0:
            assert step >> unsafe_sub(size, 8) != 0, "pages: step"
            assert value_size == 0, "pages: number"
        key = unsafe_add(key, step)
        place = unsafe_add(place, unsafe_add(unsafe_add(size, value_size), 16) >> 3)
        # Of numbers less than the prime three are added unreduced: a product reduces them.
        word = unsafe_add(
            unsafe_add(start, uint256_mulmod(key, of_key, PRIME)), uint256_mulmod(value, of_value, PRIME)
        )
        above = unsafe_add(uint256_mulmod(above, word, PRIME), below)
        below = uint256_mulmod(below, word, PRIME)
    assert place == end, "pages: ends early"
    assert extract32(data, end, output_type=uint256) | extract32(data, end + 32, output_type=uint256) == 0, "pages: end"
    assert key < PRIME, "pages: not an element"
    assert below != 0, "pages: a challenge meets a message"
    # The claimed sum is a fraction's value: it is seen by multiplying.
    assert (
        uint256_mulmod(claim[at + 1], below, PRIME) == uint256_mulmod(above, shape.TIMES, PRIME)
    ), "pages: another sum"
    return True

# pragma version 0.4.3
# pragma optimize gas
"""
@title Pages
@license Apache-2.0
@notice What a proven statement lists, page by page: the bytes that were claimed, and what they add to the buses.
@dev Pure. As `stark.air.listing` has it: an entry is a byte for each field, how many bytes it has, then the fields'
     bytes, the highest first, which is not zero; the first field adds something to that of the entry before it.
     Entries are messages on one bus, each a fraction; they are summed as one, so that nothing is divided.
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
    assert len(data) > 0 and convert(keccak256(data), uint256) == claim[at], "pages: other bytes"
    # Of a fraction: the point less the bus and the fields, each times its power of the base.
    base: uint256 = claim[shape.CLAIM_POINT + 1]
    start: uint256 = uint256_addmod(claim[shape.CLAIM_POINT], PRIME - shape.BUS, PRIME)
    above: uint256 = 0
    below: uint256 = 1
    first: uint256 = 0  # field of the entry before
    end: uint256 = len(data)
    padded: Bytes[shape.PAGE_BYTES + 64] = concat(data, empty(bytes32), empty(bytes32))
    place: uint256 = 0
    for _: uint256 in range(shape.PAGE_ENTRIES):
        if place == end:
            break
        sizes: uint256 = extract32(padded, place, output_type=uint256)
        place = unsafe_add(place, shape.FIELDS)
        power: uint256 = base
        divisor: uint256 = start
        for field: uint256 in range(shape.FIELDS):
            # A size above 32 shifts everything out, and leaves no first byte.
            size: uint256 = (sizes >> unsafe_sub(248, field << 3)) & 255
            assert place <= end, "pages: ends early"
            number: uint256 = extract32(padded, place, output_type=uint256) >> unsafe_sub(256, size << 3)
            assert size == 0 or number >> (unsafe_sub(size, 1) << 3) != 0, "pages: number"
            place = unsafe_add(place, size)
            assert number < PRIME, "pages: not an element"
            if field == 0:
                assert number != 0, "pages: not in order"
                number = unsafe_add(first, number)
                assert number < PRIME, "pages: not an element"
                first = number
            divisor = uint256_addmod(divisor, PRIME - uint256_mulmod(number, power, PRIME), PRIME)
            power = uint256_mulmod(power, base, PRIME)
        above = uint256_addmod(uint256_mulmod(above, divisor, PRIME), below, PRIME)
        below = uint256_mulmod(below, divisor, PRIME)
    assert place == end, "pages: ends early"
    assert below != 0, "pages: a challenge meets a message"
    # The claimed sum is a fraction's value: it is seen by multiplying.
    assert (
        uint256_mulmod(claim[at + 1], below, PRIME) == uint256_mulmod(above, shape.TIMES, PRIME)
    ), "pages: another sum"
    return True

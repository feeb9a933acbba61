# pragma version 0.4.3
# pragma optimize gas
"""
@title Queries
@license Apache-2.0
@notice One part of a proof's answers: rows that agree with what the proof's head claims.
@dev Pure. Step 8 of `stark.verifier.check_queries`, in the same order and with the same names. Openings of trees over
     tables come first, then those of the folded layers; each climbs its tree with one queue of known nodes.
"""
import shape

PRIME: constant(uint256) = 2**251 + 17 * 2**192 + 1
HALF: constant(uint256) = (PRIME + 1) // 2


@external
@pure
def check(claim: uint256[shape.CLAIM], part: uint256, hint: uint256, data: Bytes[shape.PART_BYTES]) -> bool:
    """
    @notice Check the answers of one part; reverts with a reason unless they hold.
    @param claim What `Opening.open` returned.
    @param part Which part, from 0.
    @param hint The inverse of the product of all differences between a queried point and a point outside the domain.
    @param data This part's answers, and nothing else.
    @return Always true.
    """
    roots: uint256[shape.LOG_SIZE_BOUND] = shape.ROOTS
    inverse_roots: uint256[shape.LOG_SIZE_BOUND] = shape.INVERSE_ROOTS
    lower: uint256[shape.LEVELS] = shape.LOWER

    # The part's positions and points, and for each level those they stand for there: a point is squared where a
    # position loses a bit, since shifts and roots are.
    assert part < shape.PARTS, "queries: no such part"
    first: uint256 = part * shape.PART_QUERIES
    assert first < claim[shape.CLAIM_COUNT], "queries: no such part"
    count: uint256 = min(shape.PART_QUERIES, claim[shape.CLAIM_COUNT] - first)
    positions: uint256[shape.LEVELS * shape.PART_QUERIES] = empty(uint256[shape.LEVELS * shape.PART_QUERIES])
    counts: uint256[shape.LEVELS] = empty(uint256[shape.LEVELS])
    points: uint256[shape.LEVELS * shape.PART_QUERIES] = empty(uint256[shape.LEVELS * shape.PART_QUERIES])
    inverses: uint256[shape.PART_QUERIES] = empty(uint256[shape.PART_QUERIES])  # of the points of what is folded
    for index: uint256 in range(count, bound=shape.PART_QUERIES):
        position: uint256 = claim[shape.CLAIM_POSITIONS + first + index]
        if index > 0 and positions[counts[0] - 1] == position:
            continue
        positions[counts[0]] = position
        point: uint256 = shape.SHIFT
        inverse: uint256 = shape.INVERSE_SHIFT
        for bit: uint256 in range(shape.LOG_SIZE):
            if position & 1 == 1:
                point = uint256_mulmod(point, roots[bit], PRIME)
                inverse = uint256_mulmod(inverse, inverse_roots[bit], PRIME)
            position = position >> 1
        points[counts[0]] = point
        inverses[counts[0]] = inverse
        counts[0] += 1
    for level: uint256 in range(1, shape.LEVELS):
        base: uint256 = level * shape.PART_QUERIES
        above: uint256 = base - shape.PART_QUERIES
        bits: uint256 = lower[level] - lower[level - 1]
        found: uint256 = 0
        for index: uint256 in range(counts[level - 1], bound=shape.PART_QUERIES):
            position: uint256 = positions[above + index] >> bits
            if found == 0 or positions[base + found - 1] != position:
                positions[base + found] = position
                point: uint256 = points[above + index]
                for _: uint256 in range(bits, bound=shape.LOG_SIZE_BOUND):
                    point = uint256_mulmod(point, point, PRIME)
                points[base + found] = point
                found += 1
        counts[level] = found

    # Rows of the tables, each level's columns blended over all trees, and the pieces of the composition.
    batching: uint256 = claim[0]
    # Sums of words are below twice the prime: what reads them reduces.
    sums: uint256[shape.LEVELS * shape.PART_QUERIES] = empty(uint256[shape.LEVELS * shape.PART_QUERIES])
    pieces: uint256[shape.PART_QUERIES] = empty(uint256[shape.PART_QUERIES])
    values: uint256[shape.PART_QUERIES] = empty(uint256[shape.PART_QUERIES])  # of the polynomial being folded
    places: uint256[shape.PART_QUERIES] = empty(uint256[shape.PART_QUERIES])  # and their positions
    value_count: uint256 = 0
    widths: uint256[shape.TREES * shape.LEVELS] = shape.TREE_WIDTHS
    layer_bits: uint256[shape.LAYERS] = shape.LAYER_BITS
    queue: uint256[shape.PART_QUERIES] = empty(uint256[shape.PART_QUERIES])
    digests: bytes32[shape.PART_QUERIES] = empty(bytes32[shape.PART_QUERIES])
    fibre: uint256[16] = empty(uint256[16])
    # 1 / x of every second point of a fibre whose first is 1: a product of roots, by the bits of its index.
    turns: uint256[8] = [1, 0, 0, 0, 0, 0, 0, 0]
    for index: uint256 in range(1, 8):
        bit: uint256 = (1 if index > 1 else 0) + (1 if index > 3 else 0)
        if bit + 1 < shape.LOG_SIZE_BOUND:
            turns[index] = uint256_mulmod(turns[index - (1 << bit)], inverse_roots[bit + 1], PRIME)
    offset: uint256 = 0  # loops bound how often it grows, and no read beyond the data is answered: so no sum overflows
    log_rows: uint256 = shape.LOG_SIZE - shape.LOG_BLOWUP  # of the layer being folded

    for opening: uint256 in range(shape.TREES + shape.LAYERS):
        is_tree: bool = opening < shape.TREES
        length: uint256 = 0  # of the queue
        log_nodes: uint256 = 0
        next_level: uint256 = 0  # whose rows enter next on the way up
        root: uint256 = 0
        if is_tree:
            root = claim[1 + opening]
            for level: uint256 in range(shape.LEVELS):
                if widths[opening * shape.LEVELS + level] > 0:
                    break
                next_level += 1
            log_nodes = shape.LOG_SIZE - lower[next_level]
            width: uint256 = widths[opening * shape.LEVELS + next_level]
            base: uint256 = next_level * shape.PART_QUERIES
            length = counts[next_level]
            for index: uint256 in range(length, bound=shape.PART_QUERIES):
                queue[index] = positions[base + index]
                digests[index] = keccak256(concat(b"\x00", slice(data, offset, 32 * width)))
                total: uint256 = 0 if opening == shape.TREES - 1 else sums[base + index]
                for chunk: uint256 in range(width >> 3, bound=shape.WIDTH_BOUND):
                    words: uint256[8] = abi_decode(slice(data, offset, 256), uint256[8])
                    if (
                        words[0] | words[1] | words[2] | words[3] | words[4] | words[5] | words[6] | words[7]
                    ) >> 251 != 0:  # else they are less than the prime
                        for word: uint256 in words:
                            assert word < PRIME, "queries: not a field element"
                    total = unsafe_add(uint256_mulmod(total, batching, PRIME), words[0])
                    total = unsafe_add(uint256_mulmod(total, batching, PRIME), words[1])
                    total = unsafe_add(uint256_mulmod(total, batching, PRIME), words[2])
                    total = unsafe_add(uint256_mulmod(total, batching, PRIME), words[3])
                    total = unsafe_add(uint256_mulmod(total, batching, PRIME), words[4])
                    total = unsafe_add(uint256_mulmod(total, batching, PRIME), words[5])
                    total = unsafe_add(uint256_mulmod(total, batching, PRIME), words[6])
                    total = unsafe_add(uint256_mulmod(total, batching, PRIME), words[7])
                    offset = unsafe_add(offset, 256)
                for rest: uint256 in range(width & 7, bound=7):
                    word: uint256 = extract32(data, offset, output_type=uint256)
                    assert word < PRIME, "queries: not a field element"
                    total = unsafe_add(uint256_mulmod(total, batching, PRIME), word)
                    offset = unsafe_add(offset, 32)
                if opening == shape.TREES - 1:
                    pieces[index] = total
                else:
                    sums[base + index] = total
            next_level += 1
        else:
            layer: uint256 = opening - shape.TREES
            bits: uint256 = layer_bits[layer]
            root = claim[shape.CLAIM_LAYERS + layer]
            challenge: uint256 = claim[shape.CLAIM_LAYERS + shape.LAYERS + layer]
            log_rows -= bits
            log_nodes = log_rows + shape.LOG_BLOWUP
            next_level = shape.LEVELS
            entering: uint256 = shape.LEVELS  # the level whose quotients enter after this folding
            for level: uint256 in range(1, shape.LEVELS):
                if lower[level] == shape.LOG_SIZE - shape.LOG_BLOWUP - log_rows:
                    entering = level
            halves: uint256 = 1  # the product of one half for each step of the layer
            for _: uint256 in range(bits, bound=4):
                halves = uint256_mulmod(halves, HALF, PRIME)
            mask: uint256 = (1 << bits) - 1  # a place's bits within its fibre
            cursor: uint256 = 0
            for _: uint256 in range(shape.PART_QUERIES):
                if cursor == value_count:
                    break
                leaf: uint256 = places[cursor] >> bits
                digests[length] = keccak256(concat(b"\x00", slice(data, offset, 32 << bits)))
                for index: uint256 in range(unsafe_add(mask, 1), bound=16):
                    word: uint256 = extract32(data, offset, output_type=uint256)
                    assert word < PRIME, "queries: not a field element"
                    fibre[index] = word
                    offset = unsafe_add(offset, 32)
                # 1 / x of the fibre's first point, which differs from the one asked for by the place's lowest bits.
                inverse: uint256 = inverses[cursor]
                for bit: uint256 in range(bits, bound=4):
                    if (places[cursor] >> bit) & 1 == 1:
                        inverse = uint256_mulmod(inverse, roots[bit], PRIME)
                for once: uint256 in range(shape.PART_QUERIES):
                    if cursor == value_count:
                        break
                    place: uint256 = places[cursor]
                    if place >> bits != leaf:
                        break
                    assert fibre[place & mask] == values[cursor], "queries: layer does not follow"
                    cursor = unsafe_add(cursor, 1)
                power: uint256 = challenge
                # Twice the even part and the odd part at every step: halved all at once in the end.
                size: uint256 = 1 << bits
                for step: uint256 in range(bits, bound=4):
                    across: uint256 = uint256_mulmod(power, inverse, PRIME)
                    size = size >> 1
                    for index: uint256 in range(size, bound=8):
                        turn: uint256 = uint256_mulmod(across, turns[index], PRIME)
                        left: uint256 = fibre[unsafe_add(index, index)]
                        right: uint256 = fibre[unsafe_add(unsafe_add(index, index), 1)]
                        fibre[index] = uint256_addmod(
                            unsafe_add(left, right),
                            uint256_mulmod(unsafe_add(left, unsafe_sub(PRIME, right)), turn, PRIME),
                            PRIME,
                        )
                    inverse = uint256_mulmod(inverse, inverse, PRIME)
                    power = uint256_mulmod(power, power, PRIME)
                folded: uint256 = uint256_mulmod(fibre[0], halves, PRIME)
                # Both slots are free: their values were read above.
                inverses[length] = inverse
                queue[length] = leaf
                values[length] = folded
                if entering < shape.LEVELS:
                    values[length] = uint256_addmod(
                        folded,
                        uint256_mulmod(power, sums[entering * shape.PART_QUERIES + length], PRIME),
                        PRIME,
                    )
                length += 1
            for index: uint256 in range(length, bound=shape.PART_QUERIES):
                places[index] = queue[index]
            value_count = length

        # Up the tree. Nodes stand in ascending order, so the first two to meet are neighbours. Up to there every node
        # takes its sibling from the data, one word of each level, and climbs by itself.
        least: uint256 = max_value(uint256)
        for index: uint256 in range(1, length, bound=shape.PART_QUERIES):
            least = min(least, queue[unsafe_sub(index, 1)] ^ queue[index])
        alone: uint256 = 0
        for _: uint256 in range(shape.LOG_SIZE_BOUND):
            if alone == log_nodes or least >> unsafe_add(alone, 1) == 0:
                break
            alone = unsafe_add(alone, 1)
        climbed: uint256 = 0
        for _: uint256 in range(shape.LOG_SIZE_BOUND):
            if climbed == log_nodes:
                break
            steps: uint256 = alone  # to take, each node by itself
            width: uint256 = 0
            base: uint256 = 0
            if next_level < shape.LEVELS:
                for level: uint256 in range(shape.LEVELS):
                    if next_level == shape.LEVELS or widths[opening * shape.LEVELS + next_level] > 0:
                        break
                    next_level += 1
                if next_level < shape.LEVELS:
                    enters: uint256 = shape.LOG_SIZE - lower[next_level]
                    steps = min(steps, log_nodes - enters - 1)
                    if climbed == log_nodes - enters - 1:
                        width = widths[opening * shape.LEVELS + next_level]
                        base = next_level * shape.PART_QUERIES
                        next_level += 1
            if steps > climbed:
                steps = unsafe_sub(steps, climbed)
                stride: uint256 = unsafe_mul(32, length)
                for index: uint256 in range(length, bound=shape.PART_QUERIES):
                    node: uint256 = queue[index]
                    digest: bytes32 = digests[index]
                    place: uint256 = unsafe_add(offset, unsafe_mul(32, index))
                    for once: uint256 in range(steps, bound=shape.LOG_SIZE_BOUND):
                        if node & 1 == 0:
                            digest = keccak256(abi_encode(digest, extract32(data, place, output_type=bytes32)))
                        else:
                            digest = keccak256(abi_encode(extract32(data, place, output_type=bytes32), digest))
                        node = node >> 1
                        place = unsafe_add(place, stride)
                    queue[index] = node
                    digests[index] = digest
                offset = unsafe_add(offset, unsafe_mul(steps, stride))
                climbed = unsafe_add(climbed, steps)
                continue
            climbed = unsafe_add(climbed, 1)
            read: uint256 = 0
            written: uint256 = 0
            for each: uint256 in range(shape.PART_QUERIES):
                if read == length:
                    break
                node: uint256 = queue[read]
                left: bytes32 = digests[read]
                right: bytes32 = empty(bytes32)
                read = unsafe_add(read, 1)
                if node & 1 == 1:
                    right = left
                    left = extract32(data, offset, output_type=bytes32)
                    offset = unsafe_add(offset, 32)
                elif read < length and queue[read] == unsafe_add(node, 1):
                    right = digests[read]
                    read = unsafe_add(read, 1)
                else:
                    right = extract32(data, offset, output_type=bytes32)
                    offset = unsafe_add(offset, 32)
                queue[written] = node >> 1
                if width == 0:
                    digests[written] = keccak256(abi_encode(left, right))
                else:
                    row: bytes32 = keccak256(concat(b"\x00", slice(data, offset, 32 * width)))
                    digests[written] = keccak256(abi_encode(left, right, row))
                    total: uint256 = sums[base + written]
                    for chunk: uint256 in range(width >> 3, bound=shape.WIDTH_BOUND):
                        words: uint256[8] = abi_decode(slice(data, offset, 256), uint256[8])
                        if (
                            words[0] | words[1] | words[2] | words[3] | words[4] | words[5] | words[6] | words[7]
                        ) >> 251 != 0:  # else they are less than the prime
                            for word: uint256 in words:
                                assert word < PRIME, "queries: not a field element"
                        total = unsafe_add(uint256_mulmod(total, batching, PRIME), words[0])
                        total = unsafe_add(uint256_mulmod(total, batching, PRIME), words[1])
                        total = unsafe_add(uint256_mulmod(total, batching, PRIME), words[2])
                        total = unsafe_add(uint256_mulmod(total, batching, PRIME), words[3])
                        total = unsafe_add(uint256_mulmod(total, batching, PRIME), words[4])
                        total = unsafe_add(uint256_mulmod(total, batching, PRIME), words[5])
                        total = unsafe_add(uint256_mulmod(total, batching, PRIME), words[6])
                        total = unsafe_add(uint256_mulmod(total, batching, PRIME), words[7])
                        offset = unsafe_add(offset, 256)
                    for rest: uint256 in range(width & 7, bound=7):
                        word: uint256 = extract32(data, offset, output_type=uint256)
                        assert word < PRIME, "queries: not a field element"
                        total = unsafe_add(uint256_mulmod(total, batching, PRIME), word)
                        offset = unsafe_add(offset, 32)
                    sums[base + written] = total
                written = unsafe_add(written, 1)
            length = written
        assert convert(digests[0], uint256) == root, "queries: rows do not lead to the root"

        if opening == shape.TREES - 1:
            # All rows are read: turn each level's sums into quotients, with one inverse for all of them.
            product: uint256 = 1
            products: uint256[shape.LEVELS * shape.PART_QUERIES] = empty(uint256[shape.LEVELS * shape.PART_QUERIES])
            for level: uint256 in range(shape.LEVELS):
                at: uint256 = shape.CLAIM_LEVELS + 5 * level
                less_here: uint256 = PRIME - claim[at]
                less_after: uint256 = PRIME - claim[at + 1]
                slot: uint256 = level * shape.PART_QUERIES
                for _: uint256 in range(counts[level], bound=shape.PART_QUERIES):
                    point: uint256 = points[slot]
                    products[slot] = product
                    product = uint256_mulmod(
                        product,
                        uint256_mulmod(unsafe_add(point, less_here), unsafe_add(point, less_after), PRIME),
                        PRIME,
                    )
                    slot = unsafe_add(slot, 1)
            assert hint < PRIME and uint256_mulmod(product, hint, PRIME) == 1, "queries: hint"
            inverse: uint256 = hint
            for back: uint256 in range(shape.LEVELS):
                level: uint256 = shape.LEVELS - 1 - back
                at: uint256 = shape.CLAIM_LEVELS + 5 * level
                less_here: uint256 = PRIME - claim[at]
                less_after: uint256 = PRIME - claim[at + 1]
                less_sum: uint256 = PRIME - claim[at + 2]
                less_sum_after: uint256 = PRIME - claim[at + 3]
                step: uint256 = claim[at + 4]
                for back_index: uint256 in range(counts[level], bound=shape.PART_QUERIES):
                    index: uint256 = counts[level] - 1 - back_index
                    slot: uint256 = level * shape.PART_QUERIES + index
                    from_here: uint256 = unsafe_add(points[slot], less_here)
                    from_after: uint256 = unsafe_add(points[slot], less_after)
                    own: uint256 = uint256_mulmod(inverse, products[slot], PRIME)
                    inverse = uint256_mulmod(inverse, uint256_mulmod(from_here, from_after, PRIME), PRIME)
                    here: uint256 = unsafe_add(sums[slot], less_sum)
                    after: uint256 = unsafe_add(sums[slot], less_sum_after)
                    if level == 0:
                        more: uint256 = uint256_addmod(pieces[index], PRIME - claim[shape.CLAIM_PIECES], PRIME)
                        here = uint256_addmod(
                            here, uint256_mulmod(uint256_mulmod(step, step, PRIME), more, PRIME), PRIME
                        )
                    # here / from_here + step * after / from_after, over the common divisor
                    sums[slot] = uint256_mulmod(
                        own,
                        uint256_addmod(
                            uint256_mulmod(here, from_after, PRIME),
                            uint256_mulmod(uint256_mulmod(step, after, PRIME), from_here, PRIME),
                            PRIME,
                        ),
                        PRIME,
                    )
            value_count = counts[0]
            for index: uint256 in range(value_count, bound=shape.PART_QUERIES):
                values[index] = sums[index]
                places[index] = positions[index]

    assert offset == len(data), "queries: length"
    # The last polynomial's coefficients, highest first, behind zeros that make their number one of eights.
    last: uint256[8][(shape.LAST + 7) // 8] = empty(uint256[8][(shape.LAST + 7) // 8])
    for term: uint256 in range(shape.LAST):
        slot: uint256 = 8 * ((shape.LAST + 7) // 8) - 1 - term
        last[slot >> 3][slot & 7] = claim[shape.CLAIM_LAST + term]
    for index: uint256 in range(value_count, bound=shape.PART_QUERIES):
        point: uint256 = shape.LAST_SHIFT
        place: uint256 = places[index]
        for bit: uint256 in range(log_rows + shape.LOG_BLOWUP, bound=shape.LOG_SIZE_BOUND):
            if (place >> bit) & 1 == 1:
                point = uint256_mulmod(point, roots[bit], PRIME)
        total: uint256 = 0
        for words: uint256[8] in last:
            total = uint256_addmod(uint256_mulmod(total, point, PRIME), words[0], PRIME)
            total = uint256_addmod(uint256_mulmod(total, point, PRIME), words[1], PRIME)
            total = uint256_addmod(uint256_mulmod(total, point, PRIME), words[2], PRIME)
            total = uint256_addmod(uint256_mulmod(total, point, PRIME), words[3], PRIME)
            total = uint256_addmod(uint256_mulmod(total, point, PRIME), words[4], PRIME)
            total = uint256_addmod(uint256_mulmod(total, point, PRIME), words[5], PRIME)
            total = uint256_addmod(uint256_mulmod(total, point, PRIME), words[6], PRIME)
            total = uint256_addmod(uint256_mulmod(total, point, PRIME), words[7], PRIME)
        assert total == values[index], "queries: not on the last polynomial"
    return True

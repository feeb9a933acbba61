# pragma version 0.4.3
# pragma optimize gas
"""
@title Opening
@license Apache-2.0
@notice The first part of a proof: everything it commits to, and the rules at the point outside the domain.
@dev Pure: it reads no state but the tape, which is code. Steps 1 to 7 of `stark.verifier.read_commitments`, in the same
     order and with the same names. The answer is the claim that `Queries` checks part by part. What depends on the
     system is generated: the module `shape`, and the tape, one step in seven bytes (operation, three operands).
"""
import shape

PRIME: constant(uint256) = 2**251 + 17 * 2**192 + 1
GENERATOR: constant(uint256) = 3
STEP_BYTES: constant(uint256) = 7

TAPES: immutable(address[shape.TAPE_CONTRACTS])
CONSTANTS: immutable(address)


@deploy
def __init__(tapes: address[shape.TAPE_CONTRACTS], constants: address):
    """
    @notice The addresses whose code, after one byte, is the tape in pieces and the constants it names.
    """
    TAPES = tapes
    CONSTANTS = constants


@external
@view
def open(
    statement: uint256[shape.STATEMENT], hints: uint256[shape.HINTS], data: Bytes[shape.HEADER_BYTES]
) -> uint256[shape.CLAIM]:
    """
    @notice Check the head of a proof of a statement, and say what its queries must show.
    @param statement The statement's elements, then the digests of the pages that it lists; zero where there is none.
    @param hints Inverses of what the first and last row's selectors divide by, level by level, which are checked; then
                 what each page sums to, which `Pages` checks against the claim.
    @param data The proof up to and including its nonce.
    @return The claim: see `shape` for the order of its words.
    """
    assert len(data) == shape.HEADER_BYTES, "opening: length"
    # Operands of the rules by slot: what is given stands first, in the order of `stark.steps.Slots`.
    values: uint256[shape.SLOTS] = empty(uint256[shape.SLOTS])
    for index: uint256 in range(shape.ELEMENTS):
        assert statement[index] < PRIME, "opening: statement"
        values[index] = statement[index]
    # Digests and the nonce may be any word; all else must be a field element.
    for index: uint256 in range(shape.HEADER_WORDS):
        word: uint256 = extract32(data, 32 * index, output_type=uint256)
        values[shape.SLOT_HEAD + index] = word
        if word >> 251 == 0:
            continue  # it is less than the prime
        if index < shape.FIRST_ROOTS_END and (index == 0 or index == shape.BUS_ROOT or index == shape.COMPOSITION_ROOT):
            continue
        if index >= shape.LAYER_ROOTS and index < shape.LAYER_ROOTS + shape.LAYERS:
            continue
        if index == shape.HEADER_WORDS - 1:
            continue
        assert word < PRIME, "opening: not a field element"

    claim: uint256[shape.CLAIM] = empty(uint256[shape.CLAIM])
    state: bytes32 = keccak256(concat(shape.TAG_DIGEST, shape.KEY_DIGEST, abi_encode(statement)))

    # 2 trace
    state = keccak256(concat(state, slice(data, 0, 32)))

    # 3 buses
    balance: uint256 = 0  # of the tables and the pages
    above: uint256 = 0  # of the elements' messages, as one fraction
    below: uint256 = 1
    state = keccak256(state)
    values[shape.SLOT_CHALLENGES] = convert(state, uint256) % PRIME
    state = keccak256(state)
    base: uint256 = convert(state, uint256) % PRIME
    power: uint256 = 1
    for index: uint256 in range(1, shape.CHALLENGES):
        power = uint256_mulmod(power, base, PRIME)
        values[shape.SLOT_CHALLENGES + index] = power
    state = keccak256(concat(state, slice(data, 32 * shape.BUS_ROOT, 32)))
    state = keccak256(concat(state, slice(data, 32 * shape.TOTALS_START, 32 * shape.TOTALS)))
    for index: uint256 in range(shape.TOTALS):
        total: uint256 = extract32(data, 32 * (shape.TOTALS_START + index), output_type=uint256)
        balance = uint256_addmod(balance, total, PRIME)
    claim[shape.CLAIM_POINT] = values[shape.SLOT_CHALLENGES]
    claim[shape.CLAIM_POINT + 1] = base
    for page: uint256 in range(shape.PAGES_BOUND):
        if page == shape.PAGES:
            break
        total: uint256 = hints[2 * shape.LEVELS + page]
        assert total < PRIME, "opening: sum"
        assert statement[shape.ELEMENTS + page] != 0 or total == 0, "opening: sum"
        claim[shape.CLAIM_POINT + 2 + 2 * page] = statement[shape.ELEMENTS + page]
        claim[shape.CLAIM_POINT + 3 + 2 * page] = total
        balance = uint256_addmod(balance, total, PRIME)

    # 4 composition
    state = keccak256(state)
    weight: uint256 = convert(state, uint256) % PRIME
    state = keccak256(concat(state, slice(data, 32 * shape.COMPOSITION_ROOT, 32)))

    # 5 values outside the domain
    state = keccak256(state)
    point: uint256 = convert(state, uint256) % PRIME
    log_height: uint256[shape.LEVELS] = shape.LOG_HEIGHT
    level_start: uint256[shape.LEVELS] = shape.LEVEL_START
    level_width: uint256[shape.LEVELS] = shape.LEVEL_WIDTH
    row_root: uint256[shape.LEVELS] = shape.ROW_ROOT
    last_row: uint256[shape.LEVELS] = shape.LAST_ROW
    places: uint256[shape.LEVELS] = empty(uint256[shape.LEVELS])
    place: uint256 = point
    halvings: uint256 = 0
    height: uint256 = 0  # point ** rows: the same for all levels, each at its own power of the point
    for level: uint256 in range(shape.LEVELS):
        for _: uint256 in range(log_height[0] - log_height[level] - halvings, bound=32):
            place = uint256_mulmod(place, place, PRIME)
        halvings = log_height[0] - log_height[level]
        places[level] = place
        if level == 0:
            height = place
            for _: uint256 in range(log_height[0], bound=32):
                height = uint256_mulmod(height, height, PRIME)
        vanishing: uint256 = uint256_addmod(height, PRIME - 1, PRIME)
        assert vanishing != 0, "opening: the point is a row"
        # Lagrange: vanishing * row / (rows * (point - row)), for the rows 1 and `last_row`.
        row: uint256 = 1
        for which: uint256 in range(2):
            divisor: uint256 = uint256_mulmod(
                uint256_addmod(place, PRIME - row, PRIME), 2**log_height[level], PRIME
            )
            inverse: uint256 = hints[2 * level + which]
            assert inverse < PRIME and uint256_mulmod(divisor, inverse, PRIME) == 1, "opening: hint"
            values[shape.SLOT_SELECTORS + 3 * level + which] = uint256_mulmod(
                uint256_mulmod(vanishing, row, PRIME), inverse, PRIME
            )
            row = last_row[level]
        values[shape.SLOT_SELECTORS + 3 * level + 2] = uint256_addmod(place, PRIME - last_row[level], PRIME)
        state = keccak256(
            concat(state, slice(data, 32 * level_start[level], 64 * level_width[level]))
        )
    state = keccak256(concat(state, slice(data, 32 * shape.PIECES_START, 32 * shape.PIECES)))

    # The rules: every step of the tape is a value; outputs are summed with powers of the weight. What batches have most
    # of is asked for first, and counters that loops bound are not checked again; nor is that operands are less than the
    # prime: the tape, which is the key's, names no digest.
    constants: Bytes[32 * shape.CONSTANT_COUNT] = slice(CONSTANTS.code, 1, 32 * shape.CONSTANT_COUNT)
    for index: uint256 in range(shape.SCALARS):
        values[shape.SLOT_CONSTANTS + index] = extract32(constants, 32 * index, output_type=uint256)
    combined: uint256 = 0
    period: uint256 = max_value(uint256)  # of which level and length `turned` is
    turned: uint256 = 0
    result: uint256 = shape.SLOT_STEPS
    for piece: uint256 in range(shape.TAPE_CONTRACTS):
        tape: Bytes[shape.TAPE_BYTES] = slice(TAPES[piece].code, 1, shape.TAPE_BYTES)
        start: uint256 = result
        for slot: uint256 in range(start, min(start + shape.TAPE_STEPS, shape.SLOTS), bound=shape.TAPE_STEPS):
            step: uint256 = extract32(
                tape, unsafe_mul(STEP_BYTES, unsafe_sub(slot, start)), output_type=uint256
            ) >> 200
            operation: uint256 = step >> 48
            if operation == 0:
                values[slot] = uint256_addmod(values[(step >> 32) & 65535], values[(step >> 16) & 65535], PRIME)
                continue
            if operation == 2:
                values[slot] = uint256_mulmod(values[(step >> 32) & 65535], values[(step >> 16) & 65535], PRIME)
                continue
            left: uint256 = (step >> 32) & 65535
            right: uint256 = (step >> 16) & 65535
            if operation == 1:
                values[slot] = uint256_addmod(values[left], unsafe_sub(PRIME, values[right]), PRIME)
            elif operation == 3:
                values[slot] = uint256_addmod(
                    uint256_mulmod(values[left], values[right], PRIME), values[step & 65535], PRIME
                )
            elif operation == 8:
                combined = unsafe_add(uint256_mulmod(combined, weight, PRIME), values[left])
            elif operation == 9:
                above = uint256_addmod(
                    uint256_mulmod(above, values[right], PRIME), uint256_mulmod(values[left], below, PRIME), PRIME
                )
                below = uint256_mulmod(below, values[right], PRIME)
            elif operation == 4:
                values[slot] = uint256_addmod(
                    values[step & 65535],
                    unsafe_sub(PRIME, uint256_mulmod(values[left], values[right], PRIME)),
                    PRIME,
                )
            elif operation == 5:
                values[slot] = uint256_addmod(
                    uint256_mulmod(values[left], values[right], PRIME),
                    unsafe_sub(PRIME, values[step & 65535]),
                    PRIME,
                )
            else:
                # A periodic column, at the level's point to the power rows / period.
                if right != period:
                    period = right
                    turned = places[right >> 8]
                    for _: uint256 in range(log_height[right >> 8] - (right & 255), bound=32):
                        turned = uint256_mulmod(turned, turned, PRIME)
                if operation == 6:
                    # By its coefficients, highest first.
                    total: uint256 = 0
                    for term: uint256 in range(left, left + 2 ** (right & 255), bound=shape.PERIOD_BOUND):
                        coefficient: uint256 = extract32(constants, 32 * term, output_type=uint256)
                        total = uint256_addmod(uint256_mulmod(total, turned, PRIME), coefficient, PRIME)
                    values[slot] = total
                else:
                    # One in a single row: the product of 1 + y**(2**bit), y = x / row.
                    y: uint256 = uint256_mulmod(turned, extract32(constants, 32 * left, output_type=uint256), PRIME)
                    product: uint256 = extract32(constants, 32 * (left + 1), output_type=uint256)
                    for _: uint256 in range(right & 255, bound=32):
                        product = uint256_mulmod(product, unsafe_add(y, 1), PRIME)
                        y = uint256_mulmod(y, y, PRIME)
                    values[slot] = product
        result = min(start + shape.TAPE_STEPS, shape.SLOTS)
    assert below != 0, "opening: a challenge meets a message"
    assert (
        uint256_addmod(above, uint256_mulmod(balance, below, PRIME), PRIME) == 0
    ), "opening: the buses do not balance"

    quotient: uint256 = 0
    for piece: uint256 in range(shape.PIECES):
        word: uint256 = extract32(data, 32 * (shape.PIECES_START + shape.PIECES - 1 - piece), output_type=uint256)
        quotient = uint256_addmod(uint256_mulmod(quotient, height, PRIME), word, PRIME)
    assert combined % PRIME == uint256_mulmod(
        quotient, uint256_addmod(height, PRIME - 1, PRIME), PRIME
    ), "opening: the rules do not hold"

    # 6 folding
    state = keccak256(state)
    batching: uint256 = convert(state, uint256) % PRIME
    for layer: uint256 in range(shape.LAYERS):
        root: uint256 = extract32(data, 32 * (shape.LAYER_ROOTS + layer), output_type=uint256)
        state = keccak256(concat(state, convert(root, bytes32)))
        state = keccak256(state)
        claim[shape.CLAIM_LAYERS + layer] = root
        claim[shape.CLAIM_LAYERS + shape.LAYERS + layer] = convert(state, uint256) % PRIME
    state = keccak256(concat(state, slice(data, 32 * shape.LAST_START, 32 * shape.LAST)))
    for term: uint256 in range(shape.LAST):
        claim[shape.CLAIM_LAST + term] = extract32(data, 32 * (shape.LAST_START + term), output_type=uint256)

    # 7 grinding
    nonce: uint256 = extract32(data, 32 * (shape.HEADER_WORDS - 1), output_type=uint256)
    assert nonce < 2**64, "opening: nonce"
    state = keccak256(concat(state, convert(nonce, bytes32)))
    assert convert(state, uint256) >> (256 - shape.GRINDING_BITS) == 0, "opening: grinding"

    # What the queries need of the opened values: for every level both points, both sums, and the step between them.
    claim[0] = batching
    tree: uint256 = 1
    if shape.FIXED_ROOT != empty(bytes32):
        claim[tree] = convert(shape.FIXED_ROOT, uint256)
        tree += 1
    claim[tree] = extract32(data, 0, output_type=uint256)
    tree += 1
    claim[tree] = extract32(data, 32 * shape.BUS_ROOT, output_type=uint256)
    tree += 1
    claim[tree] = extract32(data, 32 * shape.COMPOSITION_ROOT, output_type=uint256)
    for level: uint256 in range(shape.LEVELS):
        at: uint256 = shape.CLAIM_LEVELS + 5 * level
        claim[at] = places[level]
        claim[at + 1] = uint256_mulmod(places[level], row_root[level], PRIME)
        for side: uint256 in range(2):
            total: uint256 = 0
            place_bytes: uint256 = 32 * (level_start[level] + side * level_width[level])
            for _: uint256 in range(level_width[level] >> 3, bound=shape.WIDTH_BOUND):
                words: uint256[8] = abi_decode(slice(data, place_bytes, 256), uint256[8])
                # Words were seen to be less than the prime: sums are below twice that, and the next product reduces.
                total = unsafe_add(uint256_mulmod(total, batching, PRIME), words[0])
                total = unsafe_add(uint256_mulmod(total, batching, PRIME), words[1])
                total = unsafe_add(uint256_mulmod(total, batching, PRIME), words[2])
                total = unsafe_add(uint256_mulmod(total, batching, PRIME), words[3])
                total = unsafe_add(uint256_mulmod(total, batching, PRIME), words[4])
                total = unsafe_add(uint256_mulmod(total, batching, PRIME), words[5])
                total = unsafe_add(uint256_mulmod(total, batching, PRIME), words[6])
                total = unsafe_add(uint256_mulmod(total, batching, PRIME), words[7])
                place_bytes = unsafe_add(place_bytes, 256)
            for _: uint256 in range(level_width[level] & 7, bound=7):
                word: uint256 = extract32(data, place_bytes, output_type=uint256)
                total = unsafe_add(uint256_mulmod(total, batching, PRIME), word)
                place_bytes = unsafe_add(place_bytes, 32)
            claim[at + 2 + side] = total % PRIME
        step: uint256 = 1
        for _: uint256 in range(level_width[level], bound=shape.WIDTH_BOUND):
            step = uint256_mulmod(step, batching, PRIME)
        claim[at + 4] = step
    pieces: uint256 = 0
    for piece: uint256 in range(shape.PIECES):
        pieces = uint256_addmod(
            uint256_mulmod(pieces, batching, PRIME),
            extract32(data, 32 * (shape.PIECES_START + piece), output_type=uint256),
            PRIME,
        )
    claim[shape.CLAIM_PIECES] = pieces

    # Positions in ascending order: insertion, for they are few. Then each once: equal ones stand side by side.
    drawn: uint256[shape.QUERIES + 1] = empty(uint256[shape.QUERIES + 1])
    for index: uint256 in range(1, shape.QUERIES + 1):
        state = keccak256(state)
        position: uint256 = (convert(state, uint256) & (2**shape.LOG_SIZE - 1)) + 1
        slot: uint256 = index
        # Positions are drawn one higher: the zero in front ends every search.
        for _: uint256 in range(shape.QUERIES):
            before: uint256 = drawn[unsafe_sub(slot, 1)]
            if before <= position:
                break
            drawn[slot] = before
            slot = unsafe_sub(slot, 1)
        drawn[slot] = position
    count: uint256 = 0
    for index: uint256 in range(shape.QUERIES):
        if drawn[index] != drawn[index + 1]:
            claim[shape.CLAIM_POSITIONS + count] = drawn[index + 1] - 1
            count += 1
    claim[shape.CLAIM_COUNT] = count
    return claim

"""The transcript: what is said changes every challenge after it, and nothing before."""

import pytest

from stark.prime import PRIME
from stark.transcript import NONCES_AT_ONCE, Transcript
from tests.reference import naive_proof


def test_the_definition() -> None:
    transcript = Transcript(b"tag")
    state = naive_proof.keccak256(b"tag")
    transcript.absorb(bytes(31) + b"\x05")
    state = naive_proof.keccak256(state + bytes(31) + b"\x05")
    state = naive_proof.keccak256(state)
    assert transcript.challenge() == int.from_bytes(state, "big") % PRIME
    state = naive_proof.keccak256(state)
    assert transcript.position(12) == int.from_bytes(state, "big") & 4095
    transcript.absorb_felts([7, PRIME - 1])
    state = naive_proof.keccak256(state + (7).to_bytes(32, "big") + (PRIME - 1).to_bytes(32, "big"))
    nonce = transcript.grind(6)
    state = naive_proof.keccak256(state + nonce.to_bytes(32, "big"))
    assert int.from_bytes(state, "big") >> 250 == 0
    assert transcript.challenge() == int.from_bytes(naive_proof.keccak256(state), "big") % PRIME


def test_every_word_changes_what_follows() -> None:
    def challenge(words: list[int]) -> int:
        transcript = Transcript(b"tag")
        transcript.absorb_felts(words)
        return transcript.challenge()

    seen = {challenge(words) for words in ([1], [2], [1, 0], [0, 1], [1, 2], [2, 1], [1, 2, 0])}
    assert len(seen) == 7
    assert Transcript(b"one").challenge() != Transcript(b"two").challenge()


def test_the_smallest_nonce_is_found_with_any_number_of_threads() -> None:
    nonces = set()
    for threads in (1, 2, 3):
        transcript = Transcript(b"grind")
        nonces.add(transcript.grind(14, threads))
    assert len(nonces) == 1
    assert Transcript(b"grind").check_nonce(nonces.pop(), 14)
    assert not any(Transcript(b"grind").check_nonce(nonce, 60) for nonce in range(10))
    assert Transcript(b"none").check_nonce(0, 0) and Transcript(b"none").grind(0) == 0


def test_grinding_can_be_stopped() -> None:
    """What is reported is the chance of having found a nonce by then, and raising ends the search."""
    shares: list[float] = []

    class Stop(Exception):
        pass

    def report(share: float) -> None:
        shares.append(share)
        if len(shares) == 3:
            raise Stop

    with pytest.raises(Stop):
        Transcript(b"long").grind(40, report=report)
    assert shares == pytest.approx([0, NONCES_AT_ONCE / 2**40, 2 * NONCES_AT_ONCE / 2**40], rel=1e-3)


@pytest.mark.parametrize("words", [b"", b"\0", bytes(31), bytes(33)])
def test_only_whole_words_are_absorbed(words: bytes) -> None:
    with pytest.raises(ValueError, match="whole words"):
        Transcript(b"tag").absorb(words)

"""The fuzzer, for a moment in each run, and that it can fail; `tools/fuzz.py 600` goes on for longer."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stark.proof import Phase, ProofRejected
from stark.verifier import verify
from tools import fuzz

KEYS = 3
EDITS = st.tuples(
    st.sampled_from(["overwrite", "insert", "cut", "keep"]), st.floats(0, 1), st.integers(0, 96), st.binary(max_size=96)
)


@cache
def target(number: int) -> fuzz.Target:
    """A key with honest proofs, made once."""
    return fuzz.targets()[number]


@settings(max_examples=250)
@given(
    number=st.integers(0, KEYS - 1),
    edits=st.lists(EDITS, min_size=1, max_size=4),
    public=st.none() | st.lists(st.integers(), max_size=3),
)
def test_whatever_is_sent_is_refused_by_name(
    number: int, edits: list[tuple[str, float, int, bytes]], public: list[int] | None
) -> None:
    """Strings overwritten, put in, cut out, or all but a piece cut off, and statements of any integers."""
    key, stated, proofs = target(number)
    data = proofs[0]
    for kind, share, size, text in edits:
        at = int(share * len(data))
        if kind == "keep":
            data = data[at : at + size]
        else:
            data = (
                data[:at]
                + (b"" if kind == "cut" else text)
                + data[at + {"insert": 0, "cut": size}.get(kind, len(text)) :]
            )
    rejected = verify(key, stated if public is None else public, data)
    if data in proofs and public in (None, stated):
        assert rejected is None
    else:
        assert isinstance(rejected, ProofRejected) and str(rejected).startswith(f"step {rejected.phase}: ")


def test_spoiled_proofs_are_refused_at_every_step(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fuzz, "SLOW_S", 60)  # other tests run beside this one
    assert fuzz.main(seconds=600, seed=20, attempts=3_000) == 0
    counts = capsys.readouterr().out.splitlines()
    assert len(counts) == len(Phase) + 1
    for phase, line in zip(Phase, counts, strict=False):
        assert line.endswith(f"refused at {phase}") and not line.lstrip().startswith("0 "), line


def test_the_fuzzer_notices_a_verifier_that_accepts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter([ProofRejected(Phase.TRACE, "no")] * 5 + [None])
    monkeypatch.setattr(fuzz, "verify", lambda *_: next(answers))
    assert fuzz.main(seconds=60, seed=1) == 1
    assert "ACCEPTED a spoiled proof" in capsys.readouterr().out


def test_the_fuzzer_notices_a_verifier_that_raises(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def raises(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(fuzz, "verify", raises)
    with pytest.raises(ZeroDivisionError):
        fuzz.main(seconds=60, seed=1)
    assert "RAISED on a proof" in capsys.readouterr().out


def test_the_fuzzer_notices_a_verifier_that_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "SLOW_S", 0.0)
    assert fuzz.main(seconds=60, seed=1, attempts=10) == 1

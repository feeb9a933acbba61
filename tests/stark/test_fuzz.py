"""The fuzzer, for a moment in each run, and that it can fail; `tools/fuzz.py 600` goes on for longer."""

from __future__ import annotations

import pytest

from stark.proof import Phase, ProofRejected
from tools import fuzz


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

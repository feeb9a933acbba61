"""`bulkhead explain`: a liquidation is told after it was recomputed, and a missing or altered one is named."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from bulkhead.cli.explain import FILE, save_witnesses
from bulkhead.cli.main import app
from bulkhead.keepers.witness import Witness
from bulkhead.lab.traders import MarginMode
from bulkhead.units import Size
from tests.keepers.test_crash import LONG, MAKER, SHORT, crowd
from tests.keepers.world import of_kind


def told(folder: Path, identity: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["explain", identity, "--run", str(folder)], env={"COLUMNS": "300"})
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def witness() -> Witness:
    world = crowd()
    world.trade(LONG, SHORT, 1, 15_000)
    world.place(MAKER, 1, 30_000, 954_000)
    (found,) = of_kind(world.tick({1: 955_000}), Witness)
    return found


def save(folder: Path, witness: Witness) -> None:
    save_witnesses(folder, {MarginMode.CROSS: SimpleNamespace(recorder=SimpleNamespace(witnesses=[witness]))})


def test_a_liquidation_is_told_and_recomputed(tmp_path: Path, witness: Witness) -> None:
    save(tmp_path, witness)
    code, output = told(tmp_path, "cross-1")
    assert code == 0 and "every number they decide agrees" in output and "had to hold at least" in output


def test_an_altered_witness_is_not_believed(tmp_path: Path, witness: Witness) -> None:
    (part,) = witness.parts
    save(tmp_path, witness._replace(parts=(part._replace(most=part.most + Size(1)),)))
    code, output = told(tmp_path, "cross-1")
    assert code == 1 and "do not agree" in output and "had to hold at least" in output
    save(tmp_path, witness._replace(markets=()))
    code, output = told(tmp_path, "cross-1")
    assert code == 1 and "holds market 1, which is not shown" in output and "Traceback" not in output


def test_what_is_missing_or_damaged_is_named(tmp_path: Path, witness: Witness) -> None:
    code, output = told(tmp_path, "cross-1")
    assert code == 2 and f"{FILE} is not there" in output and "bulkhead demo" in output
    save(tmp_path, witness)
    code, output = told(tmp_path, "cross-2")
    assert code == 2 and "no liquidation cross-2" in output and "cross-1" in output
    content = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps({"cross-1": content["cross-1"][:-2]}))
    code, output = told(tmp_path, "cross-1")
    assert code == 2 and "cross-1 is damaged" in output
    for damage in ("{", "[1]", json.dumps({"cross-1": "no hexadecimal"}), json.dumps({"cross-1": 5})):
        (tmp_path / FILE).write_text(damage)
        code, output = told(tmp_path, "cross-1")
        assert code == 2 and str(tmp_path / FILE) in output and "damaged" in output, damage

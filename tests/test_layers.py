"""The import contracts of pyproject.toml: kept by the tree, broken by planted imports, and complete."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tools.tidy import CORE

ROOT = Path(__file__).resolve().parents[1]
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Run the contracts on the sources under `root`."""
    command = [sys.executable, "-c", LINT, "--no-cache", "--config", str(root / "pyproject.toml")]
    environment = {**os.environ, "PYTHONPATH": str(root / "src"), "COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def copy(root: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", root)
    shutil.copytree(ROOT / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return root


def contract(name: str) -> dict[str, list[str]]:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return next(found for found in contracts if found["name"].startswith(name))


def test_the_tree_keeps_the_contracts() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("file", "line", "name"),
    [
        ("src/bulkhead/units.py", "import bulkhead.lab.prices", "the exchange is a stack"),
        ("src/bulkhead/lab/planted.py", "import bulkhead.cli.main", "the exchange is a stack"),
        ("src/bulkhead/homeless.py", "x = 1", "the exchange is a stack"),
        ("src/stark/planted.py", "import bulkhead", "the proof library"),
        ("src/bulkhead/lab/planted.py", "import stark", "only the ledger's tree"),
        ("src/bulkhead/rules/planted.py", "import stark.poseidon", "only the ledger's tree"),
    ],
)
def test_a_planted_import_breaks_its_contract(tmp_path: Path, file: str, line: str, name: str) -> None:
    root = copy(tmp_path)
    with (root / file).open("a") as planted:
        planted.write(f"\n{line}\n")
    result = lint(root)
    assert result.returncode == 1, result.stdout + result.stderr
    broken = [row for row in result.stdout.splitlines() if row.startswith(name) and "BROKEN" in row]
    assert broken or "homeless" in result.stdout, result.stdout


@pytest.mark.parametrize("module", contract("the core")["source_modules"])
def test_no_core_module_may_read_the_clock(tmp_path: Path, module: str) -> None:
    root = copy(tmp_path)
    path = root / "src" / module.replace(".", "/")
    file = path / "planted.py" if path.is_dir() else path.with_suffix(".py")
    with file.open("a") as planted:
        planted.write("\nimport time\n")
    result = lint(root)
    assert result.returncode == 1
    assert f"{module}" in result.stdout and "time" in result.stdout


@pytest.mark.parametrize("name", ["the core", "only the ledger's tree"])
def test_every_core_module_is_in_the_contracts(name: str) -> None:
    sources = ROOT / "src/bulkhead"
    present = {name for name in CORE if (sources / f"{name}.py").exists() or (sources / name / "__init__.py").exists()}
    listed = {module.removeprefix("bulkhead.") for module in contract(name)["source_modules"]}
    assert present == listed - {"lab", "cli"}, "name it in both contracts, in pyproject.toml"

"""The worked examples: every public rule says its units, rounding and source and has one, and it runs."""

from __future__ import annotations

import doctest
from types import FunctionType, ModuleType

import pytest

from tools import spec

RULES = [(module, function) for module in spec.modules() for function in spec.functions(module)]
ROUNDINGS = ("rounded", "exact")


@pytest.mark.parametrize(("module", "function"), RULES, ids=lambda thing: thing.__name__.rpartition(".")[2])
def test_every_rule_names_units_rounding_and_source_and_its_example_runs(
    module: ModuleType, function: FunctionType
) -> None:
    text = function.__doc__ or ""
    units = text.partition("Units: ")[2].partition("\n\n")[0]
    assert units, "a rule says in which units it answers"
    assert any(word in units for word in ROUNDINGS), "and how it rounds, or that it does not"
    assert "\n    Source: " in text, "and where it comes from, or that it is ours"
    finder = doctest.DocTestFinder(recurse=False)
    (example,) = finder.find(function, module=module, globs=spec.namespace(module))
    assert example.examples, "a rule has a worked example"
    ran = doctest.DocTestRunner(verbose=False).run(example)
    assert ran.failed == 0
    assert ran.attempted == len(example.examples)


def test_every_module_of_rules_is_among_them() -> None:
    names = {module.__name__.rpartition(".")[2] for module, _ in RULES}
    assert names == {
        "deleveraging", "fees", "funding", "grid", "liquidation", "margin", "prices", "scenario", "terms",
    }
    assert len(RULES) >= 55

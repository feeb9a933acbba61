"""Write docs/spec/rules from the docstrings of the rules; with --check only say which page is stale, and fail."""

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import bulkhead.rules

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path("docs/spec/rules")
WORDS = ("bulkhead.units", "bulkhead.fixed", "bulkhead.rules.terms", "bulkhead.rules.grid", "bulkhead.rules.examples")
HELPERS = {"examples"}  # words of the examples, not rules
LABELS = ("Units", "Source")


def modules() -> list[ModuleType]:
    """Every module of rules, by name."""
    names = sorted(found.name for found in pkgutil.iter_modules(bulkhead.rules.__path__))
    return [importlib.import_module(f"bulkhead.rules.{name}") for name in names if name not in HELPERS]


def namespace(module: ModuleType) -> dict[str, Any]:
    """The names an example of a module may use: those of WORDS, then the module's own."""
    names: dict[str, Any] = {}
    for source in [*map(importlib.import_module, WORDS), module]:
        names.update({name: thing for name, thing in vars(source).items() if not name.startswith("_")})
    return names


def own(module: ModuleType, kind: type) -> list[Any]:
    """The public functions (or classes) a module defines, in the order of its source."""
    found = [
        thing
        for name, thing in vars(module).items()
        if isinstance(thing, kind) and not name.startswith("_") and thing.__module__ == module.__name__
    ]
    return sorted(found, key=lambda thing: inspect.getsourcelines(thing)[1])


def functions(module: ModuleType) -> list[FunctionType]:
    """The rules of a module."""
    return own(module, FunctionType)


def signature(function: FunctionType) -> str:
    """A function's head on one line, or one line an argument when that is too long."""
    parameters: list[str] = []
    for one in inspect.signature(function).parameters.values():
        if one.kind is one.KEYWORD_ONLY and "*" not in parameters:
            parameters.append("*")
        parameters.append(str(one).replace("'", ""))
    result = str(inspect.signature(function).return_annotation).replace("'", "")
    line = f"{function.__name__}({', '.join(parameters)}) -> {result}"
    if len(line) <= 110:
        return line
    inside = "".join(f"    {parameter},\n" for parameter in parameters)
    return f"{function.__name__}(\n{inside}) -> {result}"


def blocks(text: str) -> Iterator[str]:
    """A docstring as Markdown: formulas and examples in code fences, units and source set off."""
    for block in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        if block.startswith(">>>"):
            yield f"```pycon\n{block}\n```"
        elif block.startswith("    "):
            yield f"```text\n{inspect.cleandoc(block)}\n```"
        else:
            for label in LABELS:
                block = re.sub(rf"(^|\n){label}: ", rf"\1\n**{label}.** ", block).lstrip("\n")
            yield block


def fields(noun: type) -> str:
    """The fields of a record as they stand in the source, comments and all; nothing for other classes."""
    if not issubclass(noun, tuple):
        return ""
    lines = [line.strip() for line in inspect.getsource(noun).split("@property")[0].splitlines()]
    named = [line for line in lines if re.match(r"\w+: ", line)]
    return "```python\n" + "\n".join(named) + "\n```"


def page(module: ModuleType) -> str:
    """One module of rules as a page."""
    name = module.__name__.rpartition(".")[2]
    parts = [
        f"# Rules: {name}",
        f"*Written by `tools/spec.py` from `src/bulkhead/rules/{name}.py`; edit the docstrings there. "
        "What examples are made of is named in [README](README.md).*",
        *blocks(module.__doc__ or ""),
    ]
    nouns = [noun for noun in own(module, type) if issubclass(noun, tuple)]
    if nouns:
        parts.append("## Nouns")
    for noun in nouns:
        parts += [f"### {noun.__name__}", *blocks(noun.__doc__ or ""), fields(noun)]
    parts.append("## Rules")
    for function in functions(module):
        parts += [f"### {function.__name__}", f"```python\n{signature(function)}\n```", *blocks(function.__doc__ or "")]
    return "\n\n".join(parts) + "\n"


def index() -> str:
    """The list of pages, and how to read the examples."""
    lines = [
        "# The rules",
        "",
        "*Written by `tools/spec.py`.* Every rule is a pure function: its meaning, formula, units, rounding and one",
        "example that the tests run. Examples use the names of " + ", ".join(f"`{word}`" for word in WORDS) + ".",
        "In the example market a lot is worth one dollar; amounts print in millionths of a dollar.",
        "",
    ]
    for module in modules():
        name = module.__name__.rpartition(".")[2]
        lines.append(f"- [{name}]({name}.md): {(module.__doc__ or '').splitlines()[0].partition(': ')[2] or name}")
    return "\n".join(lines) + "\n"


def pages() -> dict[Path, str]:
    """Every page by its path, relative to the root."""
    found = {FOLDER / f"{module.__name__.rpartition('.')[2]}.md": page(module) for module in modules()}
    return {FOLDER / "README.md": index(), **found}


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Write the pages, or with --check list what differs; 1 if anything did."""
    wanted = pages()
    there = {file.relative_to(root) for file in (root / FOLDER).glob("*.md")}
    stale = sorted(
        path
        for path in there | set(wanted)
        if path not in wanted or path not in there or (root / path).read_text(encoding="utf-8") != wanted[path]
    )
    if "--check" in arguments:
        print("\n".join(f"{path}: stale; run python tools/spec.py" for path in stale) or "spec is up to date")
        return int(bool(stale))
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    for path in stale:
        if path in wanted:
            (root / path).write_text(wanted[path], encoding="utf-8")
        else:
            (root / path).unlink()
    print(f"{len(wanted)} pages, {len(stale)} changed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The pages about the proof library: one for each module, code that runs, links that lead somewhere."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import numba
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "stark"
CONTENTS = PAGES / "README.md"

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://)([^)#]+)[^)]*\)")


def names(folder: Path, ending: str) -> set[str]:
    """Files below a folder by their path without the ending."""
    return {file.relative_to(folder).with_suffix("").as_posix() for file in folder.rglob(f"*{ending}")}


def modules() -> set[str]:
    """The library's modules, as paths; packages have no page of their own."""
    return {name for name in names(ROOT / "src" / "stark", ".py") if not name.endswith("__init__")}


def written() -> set[str]:
    """The modules that have a page."""
    return names(PAGES, ".md") - {CONTENTS.stem}


def links(page: Path) -> set[Path]:
    """Files of this repository that a page leads to."""
    return {(page.parent / target).resolve() for target in LINK.findall(page.read_text(encoding="utf-8"))}


pages = pytest.mark.parametrize(
    "page", sorted(PAGES.rglob("*.md")), ids=lambda page: page.relative_to(PAGES).with_suffix("").as_posix()
)


def test_every_module_has_a_page_and_every_page_a_module() -> None:
    assert modules() == written()


def test_the_contents_lead_to_every_page() -> None:
    assert {PAGES / f"{name}.md" for name in written()} <= links(CONTENTS)


@pages
def test_a_page_is_named_after_its_module(page: Path) -> None:
    title = page.read_text(encoding="utf-8").splitlines()[0]
    module = page.relative_to(PAGES.parent).with_suffix("").as_posix().replace("/", ".")
    assert page == CONTENTS or title == f"# {module}"


@pages
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a page share their names; a failure names the page's own line.

    A page is no module from which its kernels could be loaded again, so they are not kept; those of modules are.
    """
    for module in sorted(modules()):
        import_module("stark." + module.replace("/", "."))
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    text = page.read_text(encoding="utf-8")
    blocks = list(BLOCK.finditer(text))
    assert blocks, "a page shows its module at work"
    shared: dict[str, object] = {"__name__": page.stem}
    for block in blocks:
        before = "\n" * text.count("\n", 0, block.start(1))
        exec(compile(before + block[1], str(page), "exec"), shared)


@pages
def test_links_lead_to_files(page: Path) -> None:
    assert not [str(target) for target in links(page) if not target.exists()]

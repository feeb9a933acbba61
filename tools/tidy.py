"""House rules that neither formatter nor type checker sees. Run by `make check` and by tests/test_tidy.py."""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
POSITIONAL_MAX = 6

READ = ("src", "tests", "tools", "benchmarks", "examples")
# Money and its rules live here: integers only, and every division goes through the module that names its rounding.
CORE = ("units", "fixed", "limits", "reject", "codec", "signing", "rules", "ledger", "engine", "keepers")
DIVIDES = "src/bulkhead/fixed.py"
WIDTHS = "src/bulkhead/limits.py"
WIDTH_LEAST = 31  # bits; a shift by fewer is no bound of money, sizes or times
# Modules that read bytes of strangers: `python -O` removes assertions, and a crash is no verdict.
HOSTILE = ("src/bulkhead/codec", "src/bulkhead/signing", "src/stark/verifier", "src/stark/proof")

COMPILED = ("kernel", "inlined")
GIVEN = {"tmp_path", "tmp_path_factory"}  # pytest's words, not ours
SHORTHAND = {"qty", "pos", "tmp", "amt", "px", "idx", "cfg", "acct", "liq", "mgr", "alice", "bob"}
LATER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
ROUNDING_CALLS = {"float", "divmod", "round"}
TEST_HOLES = {"skip", "skipif", "xfail", "importorskip"}

Complaint = tuple[int, str]


def core(path: str) -> bool:
    """Whether a file belongs to the floors where money is computed."""
    parts = PurePosixPath(path).parts
    return parts[:2] == ("src", "bulkhead") and len(parts) > 2 and parts[2].removesuffix(".py") in CORE


def complaints(path: str, text: str) -> Iterator[Complaint]:
    """Every rule the file breaks, as (line, reason). `path` is relative to the root, with forward slashes."""
    tree = ast.parse(text)
    if not ast.get_docstring(tree):
        yield 1, "a module says in its first line what it is for"
    if len(text.splitlines()) > FILE_LINES_MAX:
        yield 1, f"over {FILE_LINES_MAX} lines: split it by noun"
    yield from promises(text)
    for node in ast.walk(tree):
        yield from shape(node)
        yield from words(node)
        if path.startswith("src/") and isinstance(node, ast.Assert) and path.startswith(HOSTILE):
            yield node.lineno, "assert is for our own mistakes; raise, or return a Reject, on what strangers send"
        if path.startswith("tests/"):
            yield from holes(node)
        if core(path):
            yield from arithmetic(path, node)
            if path != WIDTHS:
                yield from widths(node)


def promises(text: str) -> Iterator[Complaint]:
    """Comments that put work off."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and LATER.search(token.string):
            yield token.start[0], "do it or delete it: no work is put off in a comment"


def shape(node: ast.AST) -> Iterator[Complaint]:
    """Sizes of functions, and star imports."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        if (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_LINES_MAX:
            yield node.lineno, f"{node.name}: over {FUNCTION_LINES_MAX} lines"
        names = [argument.arg for argument in node.args.posonlyargs + node.args.args]
        # A kernel takes its arrays and bounds one by one: it knows no objects to put them in.
        is_kernel = any(isinstance(each, ast.Name) and each.id in COMPILED for each in node.decorator_list)
        if len(names) - (names[:1] in (["self"], ["cls"])) > POSITIONAL_MAX and not is_kernel:
            yield node.lineno, f"{node.name}: over {POSITIONAL_MAX} positional arguments"
    if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
        yield node.lineno, "no star imports: name what is used"


def words(node: ast.AST) -> Iterator[Complaint]:
    """Names made of shorthand, where the node gives a name to something."""
    names: list[str] = []
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        names = [node.name]
    elif isinstance(node, ast.arg):
        names = [node.arg]
    elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
        names = [node.id if isinstance(node, ast.Name) else node.attr]
    for name in set(names) - GIVEN:
        for word in SHORTHAND.intersection(name.lower().split("_")):
            yield getattr(node, "lineno", 1), f"{name}: write whole words and roles, not '{word}'"


def holes(node: ast.AST) -> Iterator[Complaint]:
    """Tests that would not run."""
    if isinstance(node, ast.Attribute) and node.attr in TEST_HOLES:
        base = ast.unparse(node.value)
        if base in ("pytest", "pytest.mark", "unittest"):
            yield node.lineno, f"{base}.{node.attr}: a test runs, or it is deleted"


def arithmetic(path: str, node: ast.AST) -> Iterator[Complaint]:
    """Floats, division, and hash(), which differs from one process to the next."""
    line = getattr(node, "lineno", 1)
    if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
        yield line, "no floats where money is computed"
    if isinstance(node, ast.BinOp | ast.AugAssign):
        if isinstance(node.op, ast.Div):
            yield line, "no true division where money is computed: it makes a float"
        elif isinstance(node.op, ast.FloorDiv | ast.Mod) and path != DIVIDES:
            yield line, "divide through fixed.py, which names the rounding"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id in ROUNDING_CALLS and not (node.func.id == "divmod" and path == DIVIDES):
            yield line, f"{node.func.id}(): divide and round through fixed.py"
        if node.func.id == "hash":
            yield line, "hash() is not the same in two processes"


def widths(node: ast.AST) -> Iterator[Complaint]:
    """Powers of two written out: a width that has a name, or should have one."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.LShift | ast.RShift | ast.Pow):
        bits = node.right
        if isinstance(bits, ast.Constant) and isinstance(bits.value, int) and bits.value >= WIDTH_LEAST:
            yield node.lineno, f"{bits.value} bits: write each width once, in limits.py"


def main(root: Path) -> int:
    """Print every complaint about the tree under `root`; 1 if there was one."""
    found = [
        f"{path}:{line}: {reason}"
        for folder in READ
        for file in sorted((root / folder).rglob("*.py"))
        for path in [file.relative_to(root).as_posix()]
        for line, reason in complaints(path, file.read_text(encoding="utf-8"))
    ]
    print("\n".join(found) or "tidy")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parents[1]))

"""Compiled contracts: those that know no circuit come with the package, those of a proof key are made from the key.

`compile_contracts` runs Vyper, which lives in an environment of its own, and remembers what it made by a digest of all
that went in. Whoever only deploys what somebody else compiled reads the file, and needs no compiler.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bulkhead.bridge.errors import ChainError
from stark.emit import emit
from stark.key import Key

VYPER_VERSION = "0.4.3"
EVM_VERSION = "prague"
SHARED = {"Token": "testing/Token.vy", "Custody": "Custody.vy", "Rollup": "Rollup.vy"}
OF_KEY = {
    "Opening": "verifier/Opening.vy",
    "Queries": "verifier/Queries.vy",
    "Pages": "verifier/Pages.vy",
    "Verifier": "Verifier.vy",
    "Reader": "Reader.vy",
}
OF_ESCAPE = {**{name: OF_KEY[name] for name in ("Opening", "Queries", "Pages", "Verifier")}, "Escape": "Escape.vy"}
IMPORT = re.compile(r"^(?:from ([\w.]+) )?import (\w+)", re.MULTILINE)
SHIPPED = Path(__file__).parent / "artifacts"
GET_VYPER = (
    f"no Vyper {VYPER_VERSION}: run `make venv` in a checkout, or `pip install vyper=={VYPER_VERSION}` in an "
    "environment of its own and name its program in BULKHEAD_VYPER; or give contracts that somebody compiled"
)

Abi = list[dict[str, Any]]


class ArtifactError(ChainError):
    """Compiled contracts that cannot be had, or a file that holds none; the message says why."""


class Artifact(NamedTuple):
    """One contract: the code that deploys it, without its arguments, and what it understands."""

    name: str
    abi: Abi
    code: bytes


class SystemArtifacts(NamedTuple):
    """The contracts of one proof key: a verifier, the reader of its statements, and the rules as data.

    `digest` is of everything they were made from; `key` is the digest of the proof key, which `Opening` is bound to.
    Those of an escape have no reader, version or shape: `Escape` reads its statements itself.
    """

    digest: str
    key: str
    version: int
    shape: int
    contracts: Mapping[str, Artifact]
    tapes: tuple[bytes, ...]
    constants: bytes

    @property
    def is_escape(self) -> bool:
        """Whether they settle what is left after a freeze, and no batches."""
        return "Escape" in self.contracts


def shared_artifacts() -> dict[str, Artifact]:
    """The contracts that come with the package. ArtifactError when one is missing or no artifact."""
    made = {}
    for name in SHARED:
        path = SHIPPED / f"{name}.json"
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            made[name] = _artifact(name, fields)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(f"{path}: {error}; a checkout makes it with `python tools/contracts.py`") from error
    return made


def compile_contracts(
    key: Key,
    statement: str,
    *,
    version: int = 1,
    shape: int = 1,
    sources: Path | None = None,
    cache: Path | None = None,
) -> SystemArtifacts:
    """The contracts of a key. `statement` is the text of the module that says where a statement's elements stand.

    `version` and `shape` are what the rollup will know them by. Made once for each digest and kept in `cache`
    (default: see `cache_folder`). Raises ArtifactError with the compiler's words, or with how to get a compiler.
    """
    return _compiled(key, OF_KEY, {"statement.vy": statement}, (version, shape), (sources, cache))


def compile_escape(
    key: Key, payouts: str, *, sources: Path | None = None, cache: Path | None = None
) -> SystemArtifacts:
    """The contracts of an escape's key; `payouts` is the text of the module that says where its elements stand.

    Kept and refused as `compile_contracts` has it.
    """
    return _compiled(key, OF_ESCAPE, {"payouts.vy": payouts}, (0, 0), (sources, cache))


def _compiled(
    key: Key,
    names: Mapping[str, str],
    generated: Mapping[str, str],
    numbers: tuple[int, int],
    folders: tuple[Path | None, Path | None],
) -> SystemArtifacts:
    """From the cache, or compiled: `numbers` are version and shape, `folders` the sources' and the cache's."""
    emitted = emit(key)
    sources, cache = folders
    folder = sources_folder() if sources is None else sources
    modules = {"shape.vy": emitted.shape, **generated}
    digest = _digest(folder, names, modules, numbers)
    kept = (cache_folder() if cache is None else cache) / f"{digest}.json"
    if kept.is_file():
        return read_system(kept)
    contracts = compile_sources(folder, names, modules)
    made = SystemArtifacts(digest, key.digest.hex(), *numbers, contracts, tuple(emitted.tapes), emitted.constants)
    write_system(kept, made)
    return made


def compile_sources(
    folder: Path, names: Mapping[str, str], modules: Mapping[str, str] | None = None
) -> dict[str, Artifact]:
    """Compile contracts of a folder, with generated modules beside it. Raises ArtifactError."""
    command = [str(find_vyper()), "-f", "combined_json", "--evm-version", EVM_VERSION, "-p", "."]
    with tempfile.TemporaryDirectory() as generated:
        for name, text in (modules or {}).items():
            Path(generated, name).write_text(text, encoding="utf-8")
        command += ["-p", generated, *names.values()]
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if result.returncode:
        raise ArtifactError(f"Vyper refuses {', '.join(names)}: {result.stderr.strip() or result.stdout.strip()}")
    told = json.loads(result.stdout)
    return {
        name: Artifact(name, told[path]["abi"], bytes.fromhex(told[path]["bytecode"].removeprefix("0x")))
        for name, path in names.items()
    }


def find_vyper() -> Path:
    """The compiler: named by BULKHEAD_VYPER, beside this environment, or on the path; always of the one version."""
    named = os.environ.get("BULKHEAD_VYPER")
    beside = Path(sys.prefix) / "vyper" / "bin" / "vyper"
    found = named or (str(beside) if beside.exists() else shutil.which("vyper"))
    if found is None:
        raise ArtifactError(GET_VYPER)
    try:
        told = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    except OSError as error:
        raise ArtifactError(f"{found}: {error}; {GET_VYPER}") from error
    if told.split("+")[0] != VYPER_VERSION:
        raise ArtifactError(f"{found} is {told.partition(chr(10))[0] or 'no Vyper'}; {GET_VYPER}")
    return Path(found)


def sources_folder() -> Path:
    """The contracts' sources: beside the package where it was installed, or in the checkout it runs from."""
    here = Path(__file__).resolve()
    for folder in (here.parent / "contracts", here.parents[3] / "contracts"):
        if (folder / "Rollup.vy").is_file():
            return folder
    raise ArtifactError("the contracts' sources are not here: they come with the package, or with a checkout")


def cache_folder() -> Path:
    """Where compiled contracts are kept: `bulkhead/contracts` in XDG_CACHE_HOME or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bulkhead" / "contracts"


def _digest(folder: Path, names: Mapping[str, str], modules: Mapping[str, str], numbers: tuple[int, int]) -> str:
    """Of compiler, sources, generated modules and names: the same digest, the same contracts."""
    hashed = hashlib.sha256()
    texts = {path: (folder / path).read_text(encoding="utf-8") for path in _closure(folder, names.values())}
    for part in (VYPER_VERSION, EVM_VERSION, *map(str, numbers), *_flat(texts), *_flat(modules)):
        hashed.update(len(part.encode()).to_bytes(8, "big") + part.encode())
    return hashed.hexdigest()


def _closure(folder: Path, paths: Iterable[str]) -> set[str]:
    """Sources, and all that they import of the folder; what is not there is generated, or comes with the compiler."""
    found: set[str] = set()
    waiting = set(paths)
    while waiting:
        path = waiting.pop()
        if path not in found and (folder / path).is_file():
            found.add(path)
            for package, name in IMPORT.findall((folder / path).read_text(encoding="utf-8")):
                waiting.add(f"{package.replace('.', '/')}/{name}.vy" if package else f"{name}.vy")
    return found


def _flat(texts: Mapping[str, str]) -> Sequence[str]:
    return [each for pair in sorted(texts.items()) for each in pair]


# -- files ---------------------------------------------------------------------------------------------------------


def _fields(artifact: Artifact) -> dict[str, Any]:
    return {"abi": artifact.abi, "bytecode": "0x" + artifact.code.hex()}


def _artifact(name: str, fields: Mapping[str, Any]) -> Artifact:
    abi = fields["abi"]
    if not isinstance(abi, list):
        raise ValueError("its ABI is no list")
    return Artifact(name, abi, bytes.fromhex(fields["bytecode"].removeprefix("0x")))


def text_of(artifact: Artifact) -> str:
    """An artifact as a file: the same text for the same contract."""
    return json.dumps(_fields(artifact), indent=1, sort_keys=True) + "\n"


def write_system(path: Path, made: SystemArtifacts) -> None:
    """A set of contracts as one file, there as a whole or not at all."""
    fields = {
        "format": 1,
        "digest": made.digest,
        "key": made.key,
        "version": made.version,
        "shape": made.shape,
        "contracts": {name: _fields(each) for name, each in made.contracts.items()},
        "tapes": [tape.hex() for tape in made.tapes],
        "constants": made.constants.hex(),
    }
    write_text(path, json.dumps(fields))


def read_system(path: Path) -> SystemArtifacts:
    """A set of contracts from its file. ArtifactError when it holds none."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        if fields["format"] != 1:
            raise ValueError(f"format {fields['format']}, and this program reads 1")
        names = OF_ESCAPE if "Escape" in fields["contracts"] else OF_KEY
        contracts = {name: _artifact(name, fields["contracts"][name]) for name in names}
        tapes = tuple(bytes.fromhex(tape) for tape in fields["tapes"])
        constants = bytes.fromhex(fields["constants"])
        version, shape = int(fields["version"]), int(fields["shape"])
        return SystemArtifacts(str(fields["digest"]), str(fields["key"]), version, shape, contracts, tapes, constants)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{path} holds no compiled contracts: {error!r}") from error


def write_text(path: Path, text: str) -> None:
    """A file that is there as a whole or not at all, whenever the process is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o644)  # there is nothing secret in it, and others may want to read it
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise

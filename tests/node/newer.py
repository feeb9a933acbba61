"""Another version of the circuit, as the program after this one may have it: its number, and plates, are others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from bulkhead.bridge.artifacts import SystemArtifacts
from bulkhead.circuit import batch, trace
from bulkhead.circuit.batch import ALL_SHAPES, CIRCUIT_VERSION, SMALL, Shape, Usual
from bulkhead.circuit.layout import statement_module
from bulkhead.ledger.config import VenueConfig
from bulkhead.node import on_chain, prove_batch, rebuild
from bulkhead.node.on_chain import contracts_of
from bulkhead.node.prove_batch import key_for
from stark.emit import emit
from stark.key import Key

VERSION = 2
NEWER = SMALL._replace(plates=Usual(12, (3, 8, 9, 4, 2, 1), ticks=2, isolated=2).plates())


@contextmanager
def newer_program() -> Iterator[None]:
    """While inside, this program is that one. It knows how the statements of the version before are laid out."""
    shapes = (NEWER, *ALL_SHAPES[1:])
    with ExitStack() as stack:
        for module in (batch, trace, on_chain):
            stack.enter_context(patch.object(module, "CIRCUIT_VERSION", VERSION))
        for module in (batch, prove_batch, rebuild):
            stack.enter_context(patch.object(module, "ALL_SHAPES", shapes))
        stack.enter_context(patch.dict(batch.LAYOUTS, {VERSION: shapes}))
        yield


def newer_contracts(config: VenueConfig, profile: str) -> SystemArtifacts:
    """The contracts of its small shape."""
    with newer_program():
        key = key_for(config, NEWER, profile).key
    return contracts_like(config, profile, NEWER, key)._replace(version=VERSION)


def contracts_like(config: VenueConfig, profile: str, shape: Shape, key: Key) -> SystemArtifacts:
    """The contracts of a key that is much like the small shape's: that one's with other words in them, as a compiler
    would put them there. Two words are all in which they may differ; what they read as data is made anew."""
    made, before = contracts_of(config, SMALL, profile), key_for(config, SMALL, profile).key
    emitted, text = emit(key), emit(before).shape
    words = list(zip(_words(before), _words(key), strict=True))
    for old, new in words:
        assert text.count(old.hex()) == 1
        text = text.replace(old.hex(), new.hex())
    modules = statement_module(SMALL), statement_module(shape)
    assert text == emitted.shape and len({each.split('"""')[2] for each in modules}) == 1, "they differ in more"
    contracts = {}
    for name, each in made.contracts.items():
        code = each.code
        for old, new in words:
            assert (old in code) == (name == "Opening")
            code = code.replace(old, new)
        contracts[name] = each._replace(code=code)
    digest, tapes = key.digest.hex(), tuple(emitted.tapes)
    return SystemArtifacts("like", digest, CIRCUIT_VERSION, shape.number, contracts, tapes, emitted.constants)


def _words(key: Key) -> tuple[bytes, bytes]:
    assert key.fixed_root is not None
    return key.digest, key.fixed_root

"""L1 from one word: a URL is a node, a path is the embedded chain in that file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bulkhead.bridge.chain import Chain
from bulkhead.bridge.errors import ChainError

if TYPE_CHECKING:
    from bulkhead.bridge.embedded.node import Clock, Embedded, Genesis

CHAIN_ID = 31_337  # of an embedded chain that is not given another


class NotHere(ChainError):
    """The embedded chain cannot run in this Python."""


def is_url(word: str) -> bool:
    """Whether L1 is a node elsewhere."""
    return "://" in word


def new_chain(balances: Mapping[str, int], time_s: int, chain_id: int = CHAIN_ID) -> Genesis:
    """How an embedded chain begins: who has how many wei, at which second. NotHere where there can be none."""
    with _needed():
        from bulkhead.bridge.embedded.node import Genesis
    return Genesis(chain_id, time_s, {bytes.fromhex(address[2:]): wei for address, wei in balances.items()})


@contextmanager
def open_embedded(
    path: str | Path, clock: Clock, *, genesis: Genesis | None = None, automine: bool = True, read_only: bool = False
) -> Iterator[Embedded]:
    """The embedded chain of a file while inside. Raises NotHere, and its StoreError."""
    with _needed():
        from bulkhead.bridge.embedded.node import Embedded
    embedded = Embedded.open(Path(path), clock, genesis, automine=automine, read_only=read_only)
    try:
        yield embedded
    finally:
        embedded.close()


@contextmanager
def open_chain(
    word: str,
    clock: Clock,
    *,
    genesis: Genesis | None = None,
    read_only: bool = False,
    chain_id: int | None = None,
) -> Iterator[Chain]:
    """The chain while inside. `genesis` begins an embedded chain where there is none; a node by URL ignores it.

    Raises Unreachable, WrongChain when the chain is not `chain_id`, NotHere, and the embedded chain's StoreError.
    """
    if is_url(word):
        yield Chain.connect(word, chain_id=chain_id)
        return
    with open_embedded(word, clock, genesis=genesis, read_only=read_only) as embedded:
        from bulkhead.bridge.embedded.provider import EmbeddedProvider

        yield Chain(EmbeddedProvider(embedded), chain_id=chain_id)


@contextmanager
def _needed() -> Iterator[None]:
    """Around an import of what is not installed everywhere."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("ethereum", "ethereum_rlp", "ethereum_types"):
            raise
        raise NotHere(
            "the embedded L1 needs Python 3.11 or 3.12, for its curve library has no wheel for a newer one; "
            "name a node by URL instead"
        ) from error

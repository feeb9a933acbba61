"""A process that sends transactions to an embedded chain in a file, tells each that was taken, and is killed."""

from __future__ import annotations

import sys
from pathlib import Path

from bulkhead.bridge.chain import Chain
from bulkhead.bridge.contract import Contract
from bulkhead.bridge.embedded.provider import EmbeddedProvider
from tests.bridge.chains import DEPLOYER, embedded, token_on


def main(path: Path) -> None:
    """Mint one unit in each transaction, several of them to new holders, so that blocks write many words."""
    node = embedded(path)
    chain = Chain(EmbeddedProvider(node))
    token: Contract = token_on(chain)
    print(token.address, flush=True)
    nonce = chain.nonce(str(DEPLOYER.address))
    while True:
        data = token.data("mint", f"0x{nonce:040x}", 1000 + nonce)
        chain.send(chain.prepare(DEPLOYER, token.address, data, gas=200_000, nonce=nonce))
        print(nonce, flush=True)
        nonce += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""The embedded chain as other programs meet it: through web3, and over HTTP."""

from __future__ import annotations

import json
import threading
from typing import Any
from urllib.request import Request, urlopen

import pytest
import requests
from web3 import Web3
from web3.exceptions import ContractLogicError, TransactionNotFound

from bulkhead.bridge.chain import Chain
from bulkhead.bridge.embedded.provider import BODY_BYTES_MAX, EmbeddedProvider, serving
from bulkhead.bridge.errors import NonceTooLow, RpcError, Unreachable
from tests.bridge.chains import CHAIN_ID, DEPLOYER, DEPOSITOR, ETHER, STRANGER, embedded, token_on
from tests.bridge.test_chain import NOBODY


def test_web3_finds_a_node() -> None:
    node = embedded()
    token = token_on(Chain(EmbeddedProvider(node)))
    web3 = Web3(EmbeddedProvider(node))
    assert web3.is_connected() and web3.eth.chain_id == CHAIN_ID
    contract = web3.eth.contract(address=Web3.to_checksum_address(token.address), abi=token.abi)  # type: ignore[call-overload]
    call = contract.functions.mint(DEPOSITOR.address, 70)
    nonce = web3.eth.get_transaction_count(DEPLOYER.address)
    fields = call.build_transaction({"from": DEPLOYER.address, "nonce": nonce})
    digest = web3.eth.send_raw_transaction(DEPLOYER.sign_transaction(fields).raw_transaction)
    receipt = web3.eth.wait_for_transaction_receipt(digest)
    assert receipt["status"] == 1 and receipt["blockNumber"] == web3.eth.block_number == 2
    assert contract.functions.balanceOf(DEPOSITOR.address).call() == 70
    assert contract.functions.balanceOf(DEPOSITOR.address).call(block_identifier=1) == 0
    with pytest.raises(ContractLogicError):
        contract.functions.transfer(NOBODY, 71).estimate_gas({"from": DEPOSITOR.address})
    block = web3.eth.get_block("latest", full_transactions=True)
    assert block["transactions"][0]["hash"] == digest == web3.eth.get_transaction(digest)["hash"]  # type: ignore[index, call-overload]
    assert web3.eth.get_block(block["hash"])["parentHash"] == web3.eth.get_block(1)["hash"]
    history = web3.eth.fee_history(2, "latest", [50])
    assert history["oldestBlock"] == 1 and len(history["baseFeePerGas"]) == 3
    assert web3.eth.get_balance(STRANGER.address) == 1000 * ETHER and list(web3.eth.accounts) == []
    assert web3.eth.get_storage_at(token.address, 0) == bytes(32)  # type: ignore[arg-type]
    with pytest.raises(TransactionNotFound):
        web3.eth.get_transaction("0x" + "12" * 32)  # type: ignore[arg-type]


def test_http_answers_whatever_is_sent() -> None:
    node = embedded()
    with serving(node) as url:

        def post(body: bytes) -> Any:
            with urlopen(Request(url, body, {"Content-Type": "application/json"}), timeout=10) as answer:
                return json.loads(answer.read())

        assert post(b'{"jsonrpc":"2.0","id":7,"method":"eth_chainId"}') == {
            "jsonrpc": "2.0", "id": 7, "result": hex(CHAIN_ID)
        }  # fmt: skip
        several = post(b'[{"id":1,"method":"eth_blockNumber","params":[]},{"id":2,"method":"x"},5]')
        assert [each["id"] for each in several] == [1, 2, None] and several[0]["result"] == "0x0"
        assert [each["error"]["code"] for each in several[1:]] == [-32601, -32600]
        assert post(b"{")["error"]["code"] == -32700
        for body in (b'"x"', b'{"method":5}', b'{"method":"x","params":{}}'):
            assert post(body)["error"]["code"] == -32600
        assert requests.post(url, data=iter([b"{}"]), timeout=10).status_code == 413  # without its length
        huge = requests.post(url, headers={"Content-Length": str(BODY_BYTES_MAX + 1)}, timeout=10)
        assert huge.status_code == 413
        assert requests.get(url, timeout=10).status_code == 501
    with pytest.raises(Unreachable):
        Chain.connect(url)


def test_what_answers_but_is_no_node_is_named() -> None:
    """Another program's HTTP server: it refuses what is posted."""
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Deaf(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Deaf) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            with pytest.raises(Unreachable, match="no answer to eth_chainId"):
                Chain.connect(f"http://127.0.0.1:{server.server_address[1]}")
        finally:
            server.shutdown()
            thread.join()


def test_several_clients_at_once_take_turns() -> None:
    """Three senders over HTTP, thirty transactions each; every one is in a block, in its sender's order."""
    node = embedded()
    failures: list[Exception] = []
    with serving(node) as url:

        def send(signer: Any) -> None:
            try:
                chain = Chain.connect(url)
                for nonce in range(30):
                    chain.send(chain.prepare(signer, NOBODY, value=1, gas=21_000, nonce=nonce))
                with pytest.raises(NonceTooLow):
                    chain.send(chain.prepare(signer, NOBODY, value=1, gas=21_000, nonce=3))
            except Exception as error:  # a thread's failure is the test's
                failures.append(error)

        threads = [threading.Thread(target=send, args=(signer,)) for signer in (DEPLOYER, DEPOSITOR, STRANGER)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures
    assert node.machine.account(bytes.fromhex(NOBODY[2:])).balance == 90 and node.tip.number == 90


@pytest.mark.parametrize("answer", [None, 5, "", "zz", "0x", [], {}, {"number": "0x1"}, [{"address": 5}]])
def test_a_node_that_answers_with_something_else_is_named(answer: object) -> None:
    node = embedded()
    chain = Chain(EmbeddedProvider(node))

    class Odd(EmbeddedProvider):
        def make_request(self, method: Any, params: Any) -> Any:
            return {"jsonrpc": "2.0", "id": 1, "result": answer}

    chain.provider = Odd(node)
    calls = [
        chain.time_s, chain.fees, lambda: chain.balance(NOBODY), lambda: chain.nonce(NOBODY),
        lambda: chain.logs([NOBODY], 0, 1), lambda: chain.estimate(NOBODY, NOBODY, b""), lambda: Chain(chain.provider),
    ]  # fmt: skip
    calls += [lambda: chain.block(1), lambda: chain.receipt(bytes(32))] if answer is not None else []
    calls += [lambda: chain.code(NOBODY), lambda: chain.call(NOBODY, b"")] if answer != "0x" else []
    for call in calls:
        if answer == [] and call is calls[4]:
            assert call() == []
            continue
        with pytest.raises((RpcError, Unreachable), match="is answered with something else|has no blocks"):
            call()

"""Examples for the documentation: what to send and what comes back. Tests send each body to a node."""

from __future__ import annotations

from typing import Any

_SIGNATURE = {"r": "0x5beefd6d…", "s": "0x2b6a84fb…"}
_SETTLEMENT = {"signature": _SIGNATURE, "starkKey": "0x4838c4ed…", "collateralPosition": "128"}
_ORDER = {
    "id": "my-first-order",
    "market": "BTC-USD",
    "type": "LIMIT",
    "side": "BUY",
    "qty": "0.01",
    "price": "59000",
    "reduceOnly": False,
    "postOnly": True,
    "timeInForce": "GTT",
    "expiryEpochMillis": 1_796_126_400_000,
    "fee": "0.0005",
    "nonce": "123456789",
    "selfTradeProtectionLevel": "ACCOUNT",
    "settlement": _SETTLEMENT,
}

EXAMPLES: dict[tuple[str, str], tuple[Any, Any]] = {
    ("POST", "/api/v1/user/order"): (_ORDER, {"id": 17, "externalId": "my-first-order"}),
    ("POST", "/api/v1/user/order/massCancel"): ({"markets": ["BTC-USD"], "cancelAll": False}, {}),
    ("PATCH", "/api/v1/user/leverage"): (
        {"market": "BTC-USD", "leverage": "5"},
        {"market": "BTC-USD", "leverage": "5", "marginMode": "CROSS"},
    ),
    ("POST", "/api/v1/user/order/preview"): (
        {"market": "BTC-USD", "side": "BUY", "qty": "0.1", "price": "60000"},
        {
            "market": "BTC-USD",
            "size": "0.1",
            "reject": None,
            "modes": [
                {
                    "marginMode": "isolated",
                    "margin": "120",
                    "fee": "3",
                    "l1Share": "0.02",
                    "liquidationPrice": "59516",
                    "closeOutPrice": "59277",
                    "atStake": "117",
                }
            ],
        },
    ),
    ("POST", "/api/v1/user/order/whatIf"): (
        {
            "market": "BTC-USD",
            "side": "BUY",
            "qty": "0.1",
            "price": "60000",
            "leverage": 10,
            "moves": [{"BTC-USD": "-0.05", "ETH-USD": "-0.06"}, {"BTC-USD": "-0.23", "ETH-USD": "-0.276"}],
            "modes": ["isolated"],
        },
        {
            "market": "BTC-USD",
            "reject": None,
            "prices": [{"BTC-USD": "57000", "ETH-USD": "2820"}, {"BTC-USD": "46200", "ETH-USD": "2172"}],
            "modes": [
                {
                    "marginMode": "isolated",
                    "isCurrent": False,
                    "reject": None,
                    "containerId": 129,
                    "accounts": [
                        {"accountId": 128, "kind": "MAIN", "isContainer": False, "markets": []},
                        {"accountId": 129, "kind": "CHILD", "isContainer": True, "markets": ["BTC-USD"]},
                    ],
                    "now": {
                        "equity": "600",
                        "maintenance": "72.000001",
                        "ownerEquity": "99997",
                        "ownerLeft": "99997",
                        "down": [],
                        "closed": [],
                    },
                    "points": [
                        {
                            "equity": "299.999999",
                            "maintenance": "68.400001",
                            "ownerEquity": "99696.999999",
                            "ownerLeft": "99696.999999",
                            "down": [],
                            "closed": [],
                        },
                        {
                            "equity": "-780.000001",
                            "maintenance": "55.440001",
                            "ownerEquity": "99397",
                            "ownerLeft": "99397",
                            "down": [129],
                            "closed": [129],
                        },
                    ],
                }
            ],
        },
    ),
    ("POST", "/api/v1/user/order/size"): (
        {"market": "BTC-USD", "side": "BUY", "loss": "250", "marginMode": "isolated"},
        {"market": "BTC-USD", "marginMode": "isolated", "size": "0.2", "loss": "249.1", "isMonotone": True},
    ),
    ("POST", "/api/v1/user/configuration"): (
        {
            "market": "ETH-USD",
            "marginMode": "isolated",
            "leverage": 5,
            "topUpCap": "100",
            "expiration": 1_796_126_400,
            "nonce": 1,
            "signature": _SIGNATURE,
        },
        {"market": "ETH-USD", "marginMode": "isolated", "leverage": 5},
    ),
    ("POST", "/api/v1/user/move"): (
        {
            "assets": [{"source": 128, "target": 130, "amount": 100_000_000}],
            "expiration": 1_796_126_400,
            "nonce": 2,
            "signature": _SIGNATURE,
        },
        {"receipt": 42},
    ),
    ("POST", "/api/v1/user/move/preview"): (
        {"assets": [{"source": 128, "target": 130, "amount": 100_000_000}]},
        {
            "reject": None,
            "before": [{"accountId": 128, "isThere": True, "value": "1000", "used": "0.12", "condition": "HEALTHY"}],
            "after": [{"accountId": 128, "isThere": True, "value": "900", "used": "0.1334", "condition": "HEALTHY"}],
        },
    ),
    ("GET", "/api/v1/user/compartments"): (
        None,
        {
            "accountId": 128,
            "compartments": [
                {
                    "accountId": 129,
                    "kind": "CHILD",
                    "market": "BTC-USD",
                    "value": "3000",
                    "initial": "3000",
                    "maintenance": "360",
                    "closeOut": "240",
                    "used": "0.12",
                    "call": 0,
                    "distances": [{"level": 100, "fall": "0.0892", "rise": None}],
                    "worst": [{"name": "all fall", "kind": "NONE", "loss": "3000", "beyondAccount": "4700"}],
                }
            ],
            "together": [{"name": "all fall", "kind": "NONE", "loss": "3000"}],
        },
    ),
    ("GET", "/api/v1/info/batches/{batch}"): (
        None,
        {
            "batch": 12,
            "status": "FINAL",
            "steps": [
                {"stage": "SEALED", "time": 1_796_126_400_000},
                {"stage": "PROVEN", "time": 1_796_126_431_000},
                {"stage": "SETTLED", "time": 1_796_126_460_000, "block": 75, "hash": "0x9c1e…"},
                {"stage": "FINAL", "time": 1_796_126_462_000},
            ],
            "proof": {"profile": "onchain", "bytes": 384_000, "bits": 100.2, "seconds": 30.1},
            "transactions": [{"step": "settle", "part": 0, "hash": "0x9c1e…", "block": 75, "gasUsed": 5_530_214}],
            "gasUsed": 26_890_062,
        },
    ),
    ("GET", "/api/v1/info/oracle"): (
        None,
        {
            "sequence": 90_210,
            "quorum": 3,
            "signers": [{"signer": 0, "key": "0x44b8…", "sequence": 90_210, "ageMs": 640}],
            "feeds": [{"market": "BTC-USD", "price": "60000", "ageMs": 640, "ageMaxMs": 60_000, "isFresh": True}],
        },
    ),
    ("GET", "/api/v1/info/operator"): (
        None,
        {
            "queue": 0,
            "brownOut": {"isOn": False, "depth": 3_000, "batches": 8},
            "throughput": {"commands": "812.4", "fills": "311.0", "spanSeconds": 60},
            "latency": {"p50": "0.0031", "p95": "0.0084", "p99": "0.0190"},
            "prover": {"runs": True, "sealed": 12, "unproven": 1},
        },
    ),
    ("GET", "/api/v1/info/forced"): (
        None,
        [{"number": 1, "kind": "WITHDRAWAL", "accountId": 128, "amount": "5", "state": "DONE", "reason": None}],
    ),
    ("GET", "/api/v1/info/starknet"): (
        None,
        {"name": "Perpetuals", "version": "v0", "chainId": "BH_1337_local", "revision": 1},
    ),
    ("GET", "/api/v1/user/balance"): (
        None,
        {"collateralName": "USD", "balance": "100000", "equity": "100012.5", "availableForTrade": "99892.5"},
    ),
    ("GET", "/api/v1/user/orders/{id}/receipt"): (
        None,
        {"orderId": 17, "sequence": 90_210, "chain": "5f0c…", "status": "SEALED"},
    ),
}

"""schemathesis reads our own OpenAPI document and sends what it can think of: answers are as documented, none a 5xx."""

import subprocess

from tests.api.live import Live, Trader
from tests.clients.environments import python_of

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
EXAMPLES = 6  # of each call, beside those that cover every keyword of its schema


def test_no_call_of_the_document_makes_a_server_error(live: Live) -> None:
    trader = Trader(live, 1201)
    trader.claim()
    tool = python_of("schemathesis").parent / "schemathesis"
    command = [
        tool, "run", f"{live.url}/openapi.json", "-H", f"X-Api-Key: {trader.api_key}", "--checks",
        CHECKS, "--max-examples", str(EXAMPLES), "--phases", "examples,coverage,fuzzing", "--seed", "1",
        "--generation-database", "none",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, cwd=live.settings.place)
    assert done.returncode == 0, done.stdout[-4_000:]
    assert " generated, " in done.stdout
    health = live.client().get("/health")
    assert health.status_code == 200, health.text

"""The API conforms to its description, for valid and invalid data.

``TRACKER_API_EXAMPLES=50`` sends that many random requests to each operation; with 1, only those.
"""

import asyncio
import json
import os
import re
import uuid
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.request import urlopen

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.schemas import BaseSchema

from transaction_tracker import Settings, TransactionTrackerApplication
from transaction_tracker.api import WEB, Web, WebOptions
from txtrack_devnode import Chain, DevelopmentNode

from ..signing import legacy  # noqa: TID252
from .support import make_token

EXAMPLES = int(os.environ.get("TRACKER_API_EXAMPLES", "4"))
HEXADECIMAL = re.compile(r"0x([0-9a-fA-F]{2})+")

MESSAGE_HEADERS = ("connection", "content-length", "expect", "transfer-encoding", "upgrade")

KNOWN = "0x" + "ab" * 32
ADDRESS = "0x" + "ab" * 20

# All checks are on.
CONFIG: dict[str, Any] = {
    "seed": 1,
    "generation": {"max-examples": EXAMPLES, "deterministic": True},
    "phases": {
        "stateful": {"enabled": False},
        # Each limit of each parameter by itself: most of the requests.
        "coverage": {"enabled": EXAMPLES > 1},
        # Ids that it has seen would be waited for, and providers paused.
        "fuzzing": {"extra-data-sources": {"responses": False}},
    },
    # What an endpoint's URL leads to, no schema can say.
    "operations": [
        {
            "include-path-regex": "^/v1/endpoints",
            "checks": {"positive_data_acceptance": {"enabled": False}},
        }
    ],
}


@pytest.fixture
def unhooked() -> Iterator[None]:
    """Remove the hooks, which are global."""
    yield
    schemathesis.hooks.unregister_all()


@pytest.mark.slow
@pytest.mark.usefixtures("unhooked")
async def test_api_conforms_to_its_description() -> None:
    async with DevelopmentNode(chain=Chain(accounts=2)) as node:
        web = WebOptions(port=0, max_failures=1_000_000, max_wait_seconds=0.01)
        settings = Settings(node.url, database=":memory:", poll_interval=0.05, web=web)
        async with TransactionTrackerApplication(settings):
            token, url = await make_token("admin"), await Web.url(WEB)

            found = await asyncio.to_thread(partial(list, failures(url, token)))

    assert not found, "\n\n".join(found)


def failures(url: str, token: str) -> Iterator[str]:
    """Send the requests that schemathesis generates, and return the deviations."""
    config = SchemathesisConfig.from_dict(
        CONFIG | {"auth": {"openapi": {"HTTPBearer": {"bearer": token}}}, "base-url": url}
    )
    # The stream never ends.
    schema = schemathesis.openapi.from_dict(without_examples(url), config=config).exclude(
        path="/v1/stream"
    )
    schemathesis.hook(before_call)
    ask_what_is_there(schema, token)
    asked = 0
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            asked += len(event.recorder.cases)
            yield from failed(event)
        elif isinstance(event, events.NonFatalError | events.FatalError):
            yield str(event)
    if asked < 25 * min(EXAMPLES, 4):
        yield f"only {asked} requests were made"


def without_examples(url: str) -> dict[str, Any]:
    """Return the description without the examples, which `test_examples.py` sends.

    With them, schemathesis adds dozens of endpoints, and the failing deliveries to them take random
    numbers while Hypothesis forbids it.
    """
    with urlopen(f"{url}/openapi.json") as response:
        described: dict[str, Any] = json.load(response)
    for methods in described["paths"].values():
        for operation in methods.values():
            for media_type in operation.get("requestBody", {}).get("content", {}).values():
                del media_type["examples"]
    return described


def failed(event: events.ScenarioFinished) -> Iterator[str]:
    for checks in event.recorder.checks.values():
        for check in checks:
            if check.failure_info is not None:
                found = check.failure_info
                yield f"{found.failure.title}: {found.failure.message}\n{found.code_sample}"


def ask_what_is_there(schema: BaseSchema, token: str) -> None:
    """Check the responses for an existing transaction and token."""
    headers = {"Authorization": f"Bearer {token}"}
    posted = schema["/v1/transactions"]["POST"].Case(
        body=[{"id": KNOWN, "metadata": {"a": 1}}, {"id": "no"}], media_type="application/json"
    )
    posted.call_and_validate(headers=headers)
    changed = schema["/v1/transactions/{id}"]["PATCH"].Case(
        path_parameters={"id": KNOWN}, body={"confirmations": 7}, media_type="application/json"
    )
    changed.call_and_validate(headers=headers)
    for path, method in (
        ("/v1/transactions/{id}", "GET"),
        ("/v1/transactions/{id}/recheck", "POST"),
        ("/v1/transactions/{id}", "DELETE"),
        ("/v1/transactions/{id}/wait", "GET"),
        ("/v1/transactions/{id}", "GET"),
    ):
        schema[path][method].Case(path_parameters={"id": KNOWN}).call_and_validate(headers=headers)
    watched = schema["/v1/addresses"]["POST"].Case(
        body=[{"address": ADDRESS, "metadata": {"a": 1}, "from_block": 0}, {"address": "no"}],
        media_type="application/json",
    )
    watched.call_and_validate(headers=headers)
    for method in ("GET", "DELETE", "GET"):
        single = schema["/v1/addresses/{address}"][method]
        single.Case(path_parameters={"address": ADDRESS}).call_and_validate(headers=headers)
    for path in (
        "/v1/transactions",
        "/v1/addresses",
        "/v1/events",
        "/v1/providers",
        "/v1/tokens",
        "/readyz",
    ):
        schema[path]["GET"].Case().call_and_validate(headers=headers)


def before_call(_context: Any, case: Any, _options: Any) -> None:
    """Replace what no schema can say.

    Repeated idempotency keys, deadlines before 1970, bytes that are not a signed transaction, and
    sending it, which the configuration of this service forbids, and headers about the message
    itself, which the HTTP server refuses before the API sees it.
    """
    for name in [name for name in case.headers or () if name.lower() in MESSAGE_HEADERS]:
        del case.headers[name]
    if case.headers and len(case.headers.get("Idempotency-Key") or "") > 0:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
    if isinstance(case.body, dict) and isinstance(given := case.body.get("deadline"), str):
        case.body["deadline"] = re.sub(r"^(0\d|1[0-8]|19(?=[0-6]))", "20", given)
    if isinstance(case.body, dict) and HEXADECIMAL.fullmatch(str(case.body.get("raw"))):
        case.body["raw"] = legacy(0, "0x" + "35" * 20, chain_id=31337)
        if case.body.get("rebroadcast") is True:
            case.body["rebroadcast"] = False

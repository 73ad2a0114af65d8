"""The examples of the API's description, and the kinds of problems that it lists."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema_rs
import pytest

from transaction_tracker import Settings, TransactionTrackerApplication
from transaction_tracker.api import WEB, Web, WebOptions
from transaction_tracker.api.examples import REQUESTS
from transaction_tracker.api.problem_kinds import KINDS
from txtrack_devnode import Chain, DevelopmentNode

from .support import make_token
from .test_documentation import operations

PAGE = Path(__file__).parents[4] / "docs" / "tracker" / "http_api.md"


def validator(described: Any, schema: Any) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(schema | {"components": described["components"]})


def media_types(described: Any) -> dict[str, Any]:
    """Return each body of a request or an error, by operation and status."""
    found: dict[str, Any] = {}
    for _, operation in operations(described):
        name = operation["operationId"]
        bodies = {"request": operation.get("requestBody", {})}
        bodies |= {code: body for code, body in operation["responses"].items() if code >= "400"}
        for part, body in bodies.items():
            for media_type in body.get("content", {}).values():
                found[f"{name} {part}"] = media_type
    return found


async def test_every_request_and_error_body_has_examples_that_fit_its_schema(
    described: Any,
) -> None:
    found = media_types(described)

    assert len(found) > 300
    for name, media_type in found.items():
        assert media_type["examples"], name
        for example in media_type["examples"].values():
            validator(described, media_type["schema"]).validate(example["value"])


async def test_examples_belong_to_operations(described: Any) -> None:
    known = {operation["operationId"] for _, operation in operations(described)}

    assert set(REQUESTS) <= known


async def test_service_accepts_the_examples() -> None:
    async with DevelopmentNode(chain=Chain(accounts=2)) as node:
        settings = Settings(
            node.url, database=":memory:", poll_interval=0.05, web=WebOptions(port=0)
        )
        async with TransactionTrackerApplication(settings), aiohttp.ClientSession() as session:
            url, token = await Web.url(WEB), await make_token("admin")
            session.headers["Authorization"] = f"Bearer {token}"

            refused = await send_examples(url, session)

    assert refused == []


async def send_examples(url: str, session: aiohttp.ClientSession) -> list[str]:
    """Send all examples; return the responses that are not successful."""
    described = await (await session.get(f"{url}/openapi.json")).json()
    found = {operation["operationId"]: name.split() for name, operation in operations(described)}
    transaction = REQUESTS["registerTransactions"]["one transaction"]["id"]
    endpoint = ""
    refused = []
    for operation, examples in REQUESTS.items():
        method, path = found[operation]
        for name, body in examples.items():
            place = path.replace("{id}", transaction if "transactions" in path else endpoint)
            async with session.request(method, url + place, json=body) as reply:
                answer = await reply.json()
            endpoint = answer["id"] if operation == "createEndpoint" and reply.ok else endpoint
            if not reply.ok or answer.get("refused"):
                refused.append(f"{operation}, {name}: {answer}")
    return refused


async def test_error_responses_name_the_kinds_of_their_path(described: Any) -> None:
    found = described["paths"]["/v1/transactions/{id}"]["patch"]["responses"]

    assert "`not-tracked`, the transaction is not registered" in found["404"]["description"]
    (conflict,) = found["409"]["content"].values()
    assert conflict["examples"].keys() == {"ended", "ambiguous-id", "not-followed"}
    assert "unknown-endpoint" not in json.dumps(found)


async def test_error_without_a_kind_has_an_example(described: Any) -> None:
    (media_type,) = described["paths"]["/v1/tokens"]["get"]["responses"]["401"]["content"].values()

    (example,) = media_type["examples"].values()
    assert example["value"]["type"] == "about:blank"


def test_page_lists_the_kinds_with_their_status() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \| ", PAGE.read_text(), re.MULTILINE)

    assert {(kind.name, str(kind.status)) for kind in KINDS if kind.name} == set(rows)


async def test_titles_do_not_repeat_names(described: Any) -> None:
    titles = re.findall(r'"title": ?"([^"]*)"', json.dumps(described["components"]))

    assert titles == []


async def test_descriptions_have_no_sections_of_docstrings(described: Any) -> None:
    text = json.dumps(described)

    assert [word for word in ("Attributes:", "Source:", "``") if word in text] == []
    assert described["components"]["schemas"]["Sample"]["properties"]["open"]["description"]


async def test_response_has_the_description_of_its_schema(described: Any) -> None:
    found = described["paths"]["/v1/transactions/{id}"]["get"]["responses"]["200"]

    assert found["description"].startswith("Current state of a transaction")
    assert "Success." not in json.dumps(described)


async def test_no_schema_is_only_true_or_false(described: Any) -> None:
    """Generators of clients refuse such schemas."""
    assert [name for name, schema in properties(described) if isinstance(schema, bool)] == []


def properties(part: Any) -> Iterator[tuple[str, Any]]:
    """Return all properties below a part of the description."""
    if isinstance(part, dict):
        found = part.get("properties")
        yield from (found if isinstance(found, dict) else {}).items()
    below = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    for inner in below:
        yield from properties(inner)


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        ({"id": "a" * 8}, True),
        ({"sender": "0x" + "a" * 40, "nonce": 4}, True),
        ({"sender": "0x" + "a" * 40}, False),
        ({"id": "a" * 8, "raw": "0x02"}, False),
        ({"id": "a" * 8, "rebroadcast": True}, False),
        ({"id": "a" * 8, "deadline": "2030-01-31T12:00:00Z", "expires_in": 1}, False),
        ({"id": "a" * 8, "deadline": None, "expires_in": 1}, True),
        ({"id": "a" * 8, "expect": {"token": "0x" + "a" * 40}}, False),
        ({"id": "a" * 8, "expect": {}}, False),
        ({"id": "a" * 8, "expect": {"value": "1"}}, True),
        ([{"id": "a" * 8}, 7], True),
        ({"transactions": []}, False),
    ],
)
async def test_schema_of_a_registration_says_what_the_service_accepts(
    described: Any, body: Any, fits: bool
) -> None:
    schema = media_types(described)["registerTransactions request"]["schema"]

    assert validator(described, schema).is_valid(body) is fits


async def test_schema_of_redelivering_excludes_both_choices(described: Any) -> None:
    schema = described["components"]["schemas"]["RedeliverIn"]

    assert validator(described, schema).is_valid({"event": None, "since": "e1"})
    assert not validator(described, schema).is_valid({"event": "e2", "since": "e1"})

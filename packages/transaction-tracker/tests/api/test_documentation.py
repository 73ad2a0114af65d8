"""The OpenAPI description, and its HTML page."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

from fastapi import APIRouter

from transaction_tracker.api.description import operation_id
from transaction_tracker.api.documentation import page

from .support import Client

# Clients are generated from these: a change breaks their programs.
OPERATION_IDS = {
    *("registerTransactions", "listTransactions", "getTransaction", "untrackTransaction"),
    *(
        "changeTransaction",
        "recheckTransaction",
        "waitForTransaction",
        "listEvents",
        "streamEvents",
    ),
    *("createEndpoint", "listEndpoints", "getEndpoint", "updateEndpoint", "deleteEndpoint"),
    *("enableEndpoint", "disableEndpoint", "rotateEndpointSecret", "testEndpoint"),
    *("redeliverEvents", "listDeadLetters", "getDeliveries", "resumeDeliveries"),
    *("listProviders", "pauseProvider", "resumeProvider", "checkProvider"),
    *("createToken", "listTokens", "revokeToken", "getHealth", "getReadiness", "getMetrics"),
}


class Page(HTMLParser):
    """Collect the references of a page, and check that its elements are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "link"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def all(self, attribute: str) -> list[str]:
        return [value for _, found in self.elements if (value := found.get(attribute)) is not None]


def operations(described: Any) -> Iterator[tuple[str, Any]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def fields(name: str, schema: Any) -> Iterator[tuple[str, Any]]:
    """Yield each property of a schema and of the schemas inside of it, with its path."""
    for key, member in schema.get("properties", {}).items():
        yield f"{name}.{key}", member
        yield from fields(f"{name}.{key}", member)
    for key in ("oneOf", "anyOf", "allOf"):
        for part in schema.get(key, ()):
            yield from fields(name, part)
    for key in ("items", "additionalProperties"):
        if isinstance(part := schema.get(key), dict):
            yield from fields(f"{name}[]", part)


def worded(schema: Any) -> bool:
    """Return whether the description has two words and ends as a sentence."""
    text = schema.get("description", "")
    return len(text.split()) > 1 and text.endswith(".")


async def test_operation_ids_are_unique_and_stable(described: Any) -> None:
    ids = [operation["operationId"] for _, operation in operations(described)]

    assert len(ids) == len(set(ids))
    assert set(ids) >= OPERATION_IDS
    assert [name for name in ids if not re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", name)] == []


def test_route_without_an_operation_id_is_named_after_its_function() -> None:
    router = APIRouter(generate_unique_id_function=operation_id)

    @router.get("/v1/attempts")
    def list_all_attempts() -> None: ...

    assert router.routes[0].unique_id == "listAllAttempts"  # type: ignore[attr-defined]


async def test_operations_have_a_summary_scopes_and_problems(
    described: Any,
) -> None:
    for name, operation in operations(described):
        assert len(operation["summary"].split()) > 1, name
        assert "422" in operation["responses"], name
        scopes = [
            scope for needed in operation.get("security", []) for scope in needed["HTTPBearer"]
        ]
        public = name in ("GET /healthz", "GET /readyz")
        assert scopes in ([[]] if public else [["read"], ["write"], ["admin"]]), name


async def test_every_schema_and_every_field_has_a_description(described: Any) -> None:
    schemas = described["components"]["schemas"]
    found = [field for name, schema in schemas.items() for field in fields(name, schema)]

    assert len(found) > 200
    assert [name for name, schema in schemas.items() if not worded(schema)] == []
    assert [name for name, schema in found if not worded(schema)] == []


async def test_every_parameter_has_a_description(described: Any) -> None:
    found = [
        (f"{operation['operationId']} {parameter['name']}", parameter)
        for _, operation in operations(described)
        for parameter in operation.get("parameters", ())
    ]

    assert len(found) > 50
    assert [name for name, parameter in found if not worded(parameter)] == []


def limits_of_pydantic(value: Any) -> Iterator[str]:
    """Yield the limits that every client overlooks: their names are unknown in JSON Schema."""
    if isinstance(value, list):
        for item in value:
            yield from limits_of_pydantic(item)
    elif isinstance(value, dict):
        if "type" in value:
            yield from {"ge", "gt", "le", "lt", "min_length", "max_length"} & value.keys()
        for item in value.values():
            yield from limits_of_pydantic(item)


async def test_every_limit_is_a_keyword_of_json_schema(described: Any) -> None:
    assert list(limits_of_pydantic(described)) == []


async def test_page_shows_every_operation_and_schema(client: Client, described: Any) -> None:
    reply = await client.get("/docs")

    shown = Page(reply.body.decode())
    names = {operation["operationId"] for _, operation in operations(described)}
    schemas = {f"schema-{name}" for name in described["components"]["schemas"]}
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert set(shown.all("id")) >= names | schemas
    targets = {link[1:] for link in shown.all("href") if link.startswith("#")}
    assert targets <= set(shown.all("id"))


async def test_page_shows_the_examples_of_a_body(client: Client) -> None:
    reply = await client.get("/docs")

    assert "<summary>Example: by sender and nonce</summary><pre>{" in reply.body.decode()


async def test_page_loads_no_external_files_and_no_scripts(client: Client) -> None:
    reply = await client.get("/docs")
    home = await client.get("/")

    shown = Page(reply.body.decode())
    assert reply.headers["content-security-policy"] == home.headers["content-security-policy"]
    assert {tag for tag, _ in shown.elements} & {
        "script",
        "style",
        "iframe",
        "img",
        "form",
    } == set()
    assert [name for _, found in shown.elements for name in found if name.startswith("on")] == []
    assert shown.all("style") == shown.all("src") == []
    files = [link for link in shown.all("href") if not link.startswith("#")]
    for file in files:
        assert (await client.get(f"/{file}")).status == 200


async def test_page_needs_no_token_and_shows_none(client: Client) -> None:
    made = await client.post("/v1/tokens", json={"label": "me", "scopes": ["admin"]})

    reply = await client.get("/docs")

    assert reply.status == 200
    assert made.json["token"] not in reply.body.decode()


def test_text_of_a_description_cannot_become_html() -> None:
    evil = "<script>`<b>`&\"'"
    schema = {"type": evil, "description": evil, "enum": [evil], "pattern": evil, "default": evil}
    operation = {
        "tags": [evil],
        "operationId": evil,
        "summary": evil,
        "description": evil,
        "parameters": [{"name": evil, "in": evil, "schema": schema, "description": evil}],
        "requestBody": {
            "content": {
                evil: {
                    "schema": {"properties": {evil: schema}},
                    "examples": {evil: {"value": evil}},
                }
            }
        },
        "responses": {evil: {"description": evil, "content": {evil: {"schema": schema}}}},
    }
    described = {
        "info": {"title": evil, "version": evil, "description": evil},
        "paths": {evil: {evil: operation}},
        "components": {"schemas": {evil: {"properties": {evil: schema}, "description": evil}}},
    }

    text = page(described)

    assert "<script" not in text
    assert "<b>" not in text
    Page(text)

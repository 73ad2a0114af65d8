"""The OpenAPI 3.1 description of the API."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from transaction_tracker.api import request_bodies
from transaction_tracker.api.answers import SUCCESS, problems
from transaction_tracker.api.examples import REQUESTS
from transaction_tracker.api.problem_kinds import kinds_of
from transaction_tracker.api.problems import ProblemDetails

_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A repeated request with the same key returns the stored response.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x21-\x7e]+$"},
}
# FastAPI's schemas of errors, which this API does not use.
_UNUSED = ("HTTPValidationError", "ValidationError")
# Sections of docstrings; Attributes become the descriptions of properties.
_SECTIONS = ("Attributes:", "Source:")
_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", re.MULTILINE)


def operation_id(route: APIRoute) -> str:
    """Return the operation id of a route without an explicit one: the name of its function.

    FastAPI's default contains path and method: generated clients would have a function
    ``list_attempts_v1_endpoints__id__attempts_get`` instead of ``listAttempts``.
    """
    first, *others = route.name.split("_")
    return first + "".join(map(str.capitalize, others))


def describe(app: FastAPI, id_pattern: str | None, without_keys: frozenset[str]) -> dict[str, Any]:
    """Return the OpenAPI description of an application.

    Args:
        app: The application.
        id_pattern: Pattern of transaction ids.
        without_keys: Paths that accept no idempotency key.

    Source:
        OpenAPI Specification 3.1.
    """
    described = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    schemas = described["components"]["schemas"]
    for name in _UNUSED:
        schemas.pop(name, None)
    problem = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs") | {ProblemDetails.__name__: problem} | request_bodies.schemas()
    if id_pattern is not None:
        schemas["RegistrationById"]["properties"]["id"]["pattern"] = id_pattern
    # Pydantic's titles only repeat the names, and generators of clients name types after them.
    _remove_titles(described["paths"])
    _remove_titles(schemas)
    for schema in schemas.values():
        _describe_attributes(schema)
    for path, method, operation in _operations(described):
        _summarise(operation)
        # Every route refuses unknown query parameters.
        operation["responses"].setdefault("422", problems(422)[422])
        _describe_responses(path, method, operation, schemas)
        if method == "post" and path not in without_keys:
            operation.setdefault("parameters", []).append(_KEY)
        if id_pattern is not None:
            _restrict_ids(path, operation, id_pattern)
        for media_type in operation.get("requestBody", {}).get("content", {}).values():
            found = REQUESTS.get(operation["operationId"], {})
            media_type["examples"] = {name: {"value": value} for name, value in found.items()}
    return described


def _summarise(operation: dict[str, Any]) -> None:
    """Split a docstring: the first paragraph is the summary, the rest is the description."""
    summary, *rest = _paragraphs(operation.pop("description"))
    operation["summary"] = summary.removesuffix(".")
    if rest:
        operation["description"] = "\n\n".join(rest)


def _paragraphs(docstring: str) -> list[str]:
    """Return the paragraphs of a docstring, each as one line, without its sections."""
    found = (" ".join(part.split()) for part in docstring.split("\n\n"))
    return [part for part in found if not part.startswith(_SECTIONS)]


def _describe_attributes(schema: dict[str, Any]) -> None:
    """Move the attributes that a docstring lists to the properties of its schema."""
    text = schema.get("description")
    if text is None:
        return
    schema["description"] = "\n\n".join(_paragraphs(text)).replace("``None``", "null")
    _, _, attributes = text.partition("Attributes:\n")
    for name, found in _ATTRIBUTE.findall(attributes):
        schema["properties"][name].setdefault("description", " ".join(found.split()))


def _describe_responses(
    path: str, method: str, operation: dict[str, Any], schemas: dict[str, Any]
) -> None:
    for status, response in operation["responses"].items():
        media_types = response.get("content", {}).values()
        kinds = list(kinds_of(path, method, int(status)))
        if kinds and int(status) >= HTTPStatus.BAD_REQUEST:
            named = [f"`{kind.name}`, {kind.meaning}" for kind in kinds if kind.name]
            response["description"] += f" Kinds: {'; '.join(named)}." if named else ""
            for media_type in media_types:
                media_type["examples"] = {
                    kind.name or kind.meaning: {"value": kind.example()} for kind in kinds
                }
        elif response["description"] == SUCCESS:
            (media_type,) = media_types
            name = media_type["schema"]["$ref"].rpartition("/")[2]
            response["description"] = schemas[name]["description"].partition("\n")[0]


def _remove_titles(part: Any) -> None:
    if isinstance(part, dict):
        # A property can have the name "title": then its value is a schema.
        if isinstance(part.get("title"), str):
            del part["title"]
        for below in part.values():
            _remove_titles(below)
    elif isinstance(part, list):
        for below in part:
            _remove_titles(below)


def _operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _restrict_ids(path: str, operation: dict[str, Any], pattern: str) -> None:
    own = path.startswith("/v1/transactions")
    for parameter in operation.get("parameters", ()):
        if parameter["name"] == "transaction" or (own and parameter["name"] == "id"):
            for schema in (parameter["schema"], *parameter["schema"].get("anyOf", ())):
                if schema.get("type") == "string":
                    schema["pattern"] = pattern

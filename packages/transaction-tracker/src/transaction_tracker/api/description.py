"""The OpenAPI 3.1 description of the API."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from transaction_tracker.api.answers import problems
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
    schemas |= problem.pop("$defs") | {ProblemDetails.__name__: problem}
    for path, method, operation in _operations(described):
        _summarise(operation)
        # Every route refuses unknown query parameters.
        operation["responses"].setdefault("422", problems(422)[422])
        if method == "post" and path not in without_keys:
            operation.setdefault("parameters", []).append(_KEY)
        if id_pattern is not None:
            _restrict_ids(path, operation, id_pattern)
    return described


def _summarise(operation: dict[str, Any]) -> None:
    """Split a docstring: the first paragraph is the summary, the rest is the description."""
    summary, _, rest = operation["description"].partition("\n\n")
    operation["summary"] = " ".join(summary.split()).removesuffix(".")
    operation["description"] = rest
    if not rest:
        del operation["description"]


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
    for media_type in operation.get("requestBody", {}).get("content", {}).values():
        for shape in media_type["schema"].get("oneOf", ()):
            if "id" in shape.get("properties", {}):
                shape["properties"]["id"]["pattern"] = pattern

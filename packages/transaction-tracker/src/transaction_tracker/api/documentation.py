"""The page ``/docs``: the OpenAPI description as HTML, without scripts or external files."""

import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from transaction_tracker.api.problems import MEDIA_TYPE

Json = Mapping[str, Any]

STYLE = "assets/docs.css"
_LIMITS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minLength": "{} or more characters",
    "maxLength": "up to {} characters",
    "minItems": "{} or more items",
    "maxItems": "up to {} items",
}
_MAX_PATTERN_CHARACTERS = 80


class Html(str):
    """Text that is already HTML; all other text is escaped when it is inserted."""

    __slots__ = ()


def page(description: Json) -> str:
    """Return an OpenAPI description as an HTML page.

    Args:
        description: OpenAPI 3.1 description.
    """
    info = description["info"]
    groups = _groups(description)
    content = (
        _tag("h1", f"{info['title']} {info['version']}"),
        *_prose(info["description"]),
        _tag("p", "For programs: ", _tag("a", "openapi.json", href="openapi.json"), "."),
        *(_group(name, operations) for name, operations in groups.items()),
        _schemas(description["components"]["schemas"]),
    )
    head = (
        _tag("meta", charset="utf-8"),
        _tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        _tag("meta", name="color-scheme", content="light dark"),
        _tag("title", f"{info['title']}: HTTP API"),
        # Relative, so that a proxy can serve the page under another path.
        _tag("link", rel="icon", href="assets/icon.svg"),
        _tag("link", rel="stylesheet", href="assets/style.css"),
        _tag("link", rel="stylesheet", href=STYLE),
    )
    body = _tag("body", _navigation(groups), _tag("main", *content))
    return "<!doctype html>" + _tag("html", _tag("head", *head), body, lang="en")


Operations = list[tuple[str, str, Json]]


def _groups(description: Json) -> dict[str, Operations]:
    """Return the operations by their first tag, in the order in which the tags appear."""
    groups: dict[str, Operations] = {}
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            tag = operation["tags"][0]
            groups.setdefault(tag, []).append((method.upper(), path, operation))
    return groups


def _navigation(groups: Mapping[str, Operations]) -> Html:
    parts: list[Html] = []
    for name, operations in groups.items():
        links = (
            _tag("li", _tag("a", operation["operationId"], href=f"#{operation['operationId']}"))
            for _, _, operation in operations
        )
        parts += (_tag("h2", name.capitalize()), _tag("ul", *links))
    parts.append(_tag("h2", _tag("a", "Schemas", href="#schemas")))
    return _tag("nav", *parts, aria_label="Operations")


def _group(name: str, operations: Operations) -> Html:
    return _tag("section", _tag("h2", name.capitalize()), *map(_operation, operations))


def _operation(operation: tuple[str, str, Json]) -> Html:
    method, path, facts = operation
    identity = facts["operationId"]
    heading = _tag(
        "h3", _tag("span", method, class_=f"method {method.lower()}"), " ", _tag("code", path)
    )
    return _tag(
        "article",
        heading,
        _tag("p", _tag("strong", *_inline(f"{facts['summary']}.")), class_="summary"),
        *_prose(facts.get("description", "")),
        _tag("p", _access(facts), class_="quiet"),
        *_parameters(facts.get("parameters", ())),
        *_body(facts.get("requestBody")),
        *_responses(facts["responses"]),
        id=identity,
    )


def _access(facts: Json) -> Html:
    security = facts.get("security", [])
    scopes = [scope for entry in security for names in entry.values() for scope in names]
    needed = f"scope {', '.join(scopes)}" if security else "no token needed"
    return Html(f"{_tag('code', facts['operationId'])} · {escape(needed)}")


def _parameters(parameters: Iterable[Json]) -> Iterable[Html]:
    rows = [
        (
            _tag("code", parameter["name"]),
            f"{parameter['in']}{', required' if parameter.get('required') else ''}",
            _type(parameter["schema"]),
            _notes(parameter["schema"], parameter.get("description", "")),
        )
        for parameter in parameters
    ]
    if rows:
        yield _tag("h4", "Parameters")
        yield _table(("Name", "In", "Type", "Description"), rows)


def _body(body: Json | None) -> Iterable[Html]:
    if body is None:
        return
    yield _tag("h4", "Body, required" if body.get("required") else "Body")
    for content in body["content"].values():
        for number, shape in enumerate(content["schema"].get("oneOf", [content["schema"]])):
            if number:
                yield _tag("p", "or", class_="quiet")
            yield _properties(shape) if "properties" in shape else _kind(shape)
        for name, example in content.get("examples", {}).items():
            text = json.dumps(example["value"], indent=2)
            yield _tag("details", _tag("summary", f"Example: {name}"), _tag("pre", text))


def _kind(schema: Json) -> Html:
    notes = _notes(schema, "")
    return _tag("p", _type(schema), f"{': ' if notes else ''}", notes)


def _responses(responses: Json) -> Iterable[Html]:
    good: list[tuple[str, Html, Html]] = []
    bad: list[tuple[str, Html, Html]] = []
    for status, response in sorted(responses.items()):
        row = (status, _content(response), _inlined(response["description"]))
        (bad if MEDIA_TYPE in response.get("content", {}) else good).append(row)
    columns = ("Status", "Content", "Description")
    yield _tag("h4", "Responses")
    yield _table(columns, good)
    statuses = ", ".join(status for status, _, _ in bad)
    yield _tag("details", _tag("summary", f"Problems: {statuses}"), _table(columns, bad))


def _content(response: Json) -> Html:
    kinds = (_type(content["schema"]) for content in response.get("content", {}).values())
    return Html(", ".join(kinds))


def _schemas(schemas: Mapping[str, Json]) -> Html:
    articles = (
        _tag(
            "article",
            _tag("h3", name),
            *_prose(schema.get("description", "")),
            *([_properties(schema)] if schema.get("properties") else [_notes(schema, "")]),
            id=f"schema-{name}",
        )
        for name, schema in sorted(schemas.items())
    )
    return _tag("section", _tag("h2", "Schemas"), *articles, id="schemas")


def _properties(schema: Json) -> Html:
    required = schema.get("required", ())
    rows = [
        (
            Html(_tag("code", name) + (" (required)" if name in required else "")),
            _type(member),
            _notes(member, member.get("description", "")),
        )
        for name, member in schema["properties"].items()
    ]
    return _table(("Field", "Type", "Description"), rows)


def _type(schema: Json) -> Html:
    """Return the name of a type, with links to schemas."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _tag("a", name, href=f"#schema-{name}")
    if choices := schema.get("anyOf", schema.get("oneOf")):
        return Html(" or ".join(map(_type, choices)))
    if schema.get("type") == "array":
        return Html(f"list of {_type(schema.get('items', {}))}")
    return Html(escape(str(schema.get("format") or schema.get("type", "anything"))))


def _notes(schema: Json, text: str) -> Html:
    """Return the description, choices, limits and default of a value."""
    parts = [_inlined(text)] if text else []
    for part in (schema, *schema.get("anyOf", ()), schema.get("items", {})):
        parts += _values(part)
        parts += [
            Html(escape(form.format(part[key]))) for key, form in _LIMITS.items() if key in part
        ]
    if (default := schema.get("default")) is not None:
        parts.append(Html(f"default {_tag('code', json.dumps(default))}"))
    return Html("; ".join(part.removesuffix(".") for part in parts))


def _values(schema: Json) -> Iterable[Html]:
    names = schema.get("enum", [schema["const"]] if "const" in schema else [])
    if names:
        yield Html("one of " + ", ".join(_tag("code", str(name)) for name in names))
    pattern = schema.get("pattern", "")
    if 0 < len(pattern) <= _MAX_PATTERN_CHARACTERS:
        yield Html(f"matches {_tag('code', pattern)}")


def _prose(text: str) -> Iterable[Html]:
    for paragraph in filter(None, text.split("\n\n")):
        yield _tag("p", *_inline(paragraph))


def _inlined(text: str) -> Html:
    return Html("".join(_inline(text)))


def _inline(text: str) -> Iterable[Html]:
    """Escape text; text between backticks becomes code."""
    for place, part in enumerate(text.split("`")):
        yield _tag("code", part) if place % 2 else Html(escape(part))


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Html:
    head = _tag("tr", *(_tag("th", column, scope="col") for column in columns))
    body = (_tag("tr", *(_tag("td", cell) for cell in row)) for row in rows)
    return _tag("table", _tag("thead", head), _tag("tbody", *body))


_EMPTY = frozenset(("link", "meta"))


def _tag(name: str, /, *content: str, **attributes: str) -> Html:
    """Return an element; attribute names have ``_`` for ``-``, and a trailing ``_`` is dropped."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    if name in _EMPTY:
        return Html(f"<{name}{written}>")
    inside = "".join(part if isinstance(part, Html) else escape(part) for part in content)
    return Html(f"<{name}{written}>{inside}</{name}>")

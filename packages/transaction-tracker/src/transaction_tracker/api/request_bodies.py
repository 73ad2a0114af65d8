"""Schemas of the request bodies that the routes read themselves.

Plain enough for the generators of clients: each shape is a schema with a name, and no schema is
just true or false.
"""

from typing import Any

from pydantic import BaseModel

from transaction_tracker.api.changing import ChangeIn
from transaction_tracker.api.fields import EXPECT
from transaction_tracker.api.items import MAX_ITEMS
from transaction_tracker.api.registering import RegistrationIn
from transaction_tracker.api.watching import AddressIn

_REF = "#/components/schemas/"
# The schema of each way to name a transaction, with its fields and its description.
_NAMINGS = {
    "RegistrationById": (("id",), "A transaction to track, by its id."),
    "RegistrationByRaw": (("raw",), "A transaction to track, by its raw signed form."),
    "RegistrationByNonce": (
        ("sender", "nonce"),
        "A transaction to track: whichever uses this nonce of this sender.",
    ),
}
_REGISTRATIONS = "RegistrationsIn"
_ADDRESSES = "AddressesIn"
_EXPECT = "ExpectIn"


def _items(*names: str) -> dict[str, Any]:
    """Return the schema of a list of some shapes.

    It allows any item: each is checked separately, so that one that is invalid does not refuse the
    request.
    """
    return {
        "type": "array",
        "items": {"anyOf": [*({"$ref": _REF + name} for name in names), {}]},
        "minItems": 1,
        "maxItems": MAX_ITEMS,
    }


def schemas() -> dict[str, Any]:
    """Return the schemas by name, for the components of the description."""
    return {
        **{name: _registration(*naming) for name, naming in _NAMINGS.items()},
        _REGISTRATIONS: _list("transactions", "Transactions to track.", *_NAMINGS),
        AddressIn.__name__: _schema(AddressIn),
        _ADDRESSES: _list("addresses", "Addresses to watch.", AddressIn.__name__),
        ChangeIn.__name__: _change(),
        _EXPECT: EXPECT,
    }


def of_registering() -> dict[str, Any]:
    """Return the description of a body with one or more registrations."""
    names = (*_NAMINGS, _REGISTRATIONS)
    return _body({"oneOf": [*({"$ref": _REF + name} for name in names), _items(*_NAMINGS)]})


def of_watching() -> dict[str, Any]:
    """Return the description of a body with one or more addresses."""
    names = (AddressIn.__name__, _ADDRESSES)
    return _body(
        {"oneOf": [*({"$ref": _REF + name} for name in names), _items(AddressIn.__name__)]}
    )


def of_change() -> dict[str, Any]:
    """Return the description of a body with a change."""
    return _body({"$ref": _REF + ChangeIn.__name__})


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _list(field: str, description: str, *names: str) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "properties": {field: _items(*names) | {"description": description}},
        "required": [field],
        "additionalProperties": False,
    }


def _registration(fields: tuple[str, ...], description: str) -> dict[str, Any]:
    schema = _schema(RegistrationIn)
    others = {name for names, _ in _NAMINGS.values() for name in names} - set(fields)
    if "raw" not in fields:
        others.add("rebroadcast")
    for name in others:
        del schema["properties"][name]
    return schema | {
        "description": description,
        "required": list(fields),
        "not": {
            "required": ["deadline", "expires_in"],
            "properties": {"deadline": {"type": "string"}, "expires_in": {"type": "number"}},
        },
    }


def _change() -> dict[str, Any]:
    schema = _schema(ChangeIn)
    # A requirement cannot be removed.
    options = schema["properties"]["confirmations"]["anyOf"]
    options[:] = [option for option in options if option != {"type": "null"}]
    return schema | {"minProperties": 1}


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of a model; the defaults stand for fields that are missing."""
    schema = model.model_json_schema()
    for field in schema["properties"].values():
        field.pop("default", None)
    if "expect" in schema["properties"]:
        schema["properties"]["expect"]["anyOf"][0] = {"$ref": _REF + _EXPECT}
    return schema

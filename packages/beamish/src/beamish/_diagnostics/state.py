"""Reads, replaces and shows the state of a server for `debug` and crash reports."""

from typing import Any

_NOT_STATE = ("pid", "__dict__", "__weakref__")


def attributes(server: Any) -> dict[str, Any]:
    """Return the attributes of a server, including those in slots."""
    found: dict[str, Any] = {}
    for name in _slots(type(server)):
        if hasattr(server, name):
            found[name] = getattr(server, name)
    found.update(getattr(server, "__dict__", {}))
    return found


def _slots(cls: type) -> list[str]:
    found: list[str] = []
    for owner in cls.__mro__[:-1]:
        slots = vars(owner).get("__slots__", ())
        names = (slots,) if isinstance(slots, str) else slots
        found += [_mangled(owner, name) for name in names if name not in _NOT_STATE]
    return found


def _mangled(owner: type, name: str) -> str:
    private = name.startswith("__") and not name.endswith("__")
    return f"_{owner.__name__.lstrip('_')}{name}" if private else name


def replace(server: Any, new: dict[str, Any]) -> None:
    """Replace all attributes of ``server`` by ``new``; if that raises, restore the old ones."""
    for name in new:
        if not isinstance(name, str) or name in _NOT_STATE:
            raise ValueError(
                f"each key of the state must be the name of an attribute; got {name!r}"
            )
    old = attributes(server)
    try:
        _set(server, new)
    except BaseException:  # such as an error of a property: leave no half-replaced state
        _set(server, old)
        raise


def _set(server: Any, new: dict[str, Any]) -> None:
    frozen = getattr(getattr(server, "__dataclass_params__", None), "frozen", False)
    # A frozen dataclass rejects setattr and delattr, so bypass them.
    set_attribute = object.__setattr__ if frozen else setattr
    delete_attribute = object.__delattr__ if frozen else delattr
    for name in attributes(server).keys() - new.keys():
        delete_attribute(server, name)
    for name, value in new.items():
        set_attribute(server, name, value)


def formatted(server: Any, why: str, reason: Any = None) -> Any:
    """Return the attributes as the server's ``format_status`` shows them."""
    facts = {"state": attributes(server), "reason": reason, "why": why}
    try:
        status = server._beamish.format_status(server, facts)
    except Exception as error:  # show nothing: it may have failed to hide a secret
        return f"<format_status raised {error!r}>"
    return status.get("state") if isinstance(status, dict) else status


def snapshot(server: Any) -> dict[str, str]:
    """Return the ``repr`` of each attribute that ``format_status`` shows."""
    seen = formatted(server, "status")
    if not isinstance(seen, dict):
        return {"state": shown(seen)}
    return {str(name): shown(value) for name, value in seen.items()}


def shown(value: Any) -> str:
    """Return ``repr(value)``, or a placeholder if its ``__repr__`` raises."""
    try:
        return repr(value)
    except Exception as error:  # an error of a user's __repr__ must not end the traced server
        return f"<{type(value).__qualname__} that cannot be shown: {type(error).__qualname__}>"

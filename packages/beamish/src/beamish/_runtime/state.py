"""The state of a server as others may see it."""

from typing import Any

_OWN = ("pid", "__dict__", "__weakref__")  # slots that are no part of the state


def attributes(server: Any) -> dict[str, Any]:
    """Collect the attributes of an instance, those in slots included."""
    found: dict[str, Any] = {}
    for name in _slots(type(server)):
        if hasattr(server, name):
            found[name] = getattr(server, name)
    found.update(vars(server))
    return found


def _slots(cls: type) -> list[str]:
    found: list[str] = []
    for owner in cls.__mro__[:-1]:
        slots = vars(owner).get("__slots__", ())
        names = (slots,) if isinstance(slots, str) else slots
        found += [_mangled(owner, name) for name in names if name not in _OWN]
    return found


def _mangled(owner: type, name: str) -> str:
    private = name.startswith("__") and not name.endswith("__")
    return f"_{owner.__name__.lstrip('_')}{name}" if private else name


def replace(server: Any, new: dict[str, Any]) -> None:
    """Give ``server`` the attributes ``new``, and none besides; as before if that fails."""
    for name in new:
        if not isinstance(name, str) or name in _OWN:
            raise ValueError(f"the state is a dict of the server's attributes; got {name!r}")
    old = attributes(server)
    try:
        _set(server, new)
    except BaseException:  # such as a property's: half a state is worse than none
        _set(server, old)
        raise


def _set(server: Any, new: dict[str, Any]) -> None:
    frozen = getattr(getattr(server, "__dataclass_params__", None), "frozen", False)
    # Frozen protects a dataclass from its own methods, not from `debug.replace_state`.
    set_attribute = object.__setattr__ if frozen else setattr
    delete_attribute = object.__delattr__ if frozen else delattr
    for name in attributes(server).keys() - new.keys():
        delete_attribute(server, name)
    for name, value in new.items():
        set_attribute(server, name, value)


def formatted(server: Any, why: str, reason: Any = None) -> Any:
    """Return the attributes as the server's ``format_status`` lets them be seen."""
    facts = {"state": attributes(server), "reason": reason, "why": why}
    try:
        status = server._beamish.format_status(server, facts)
    except Exception as error:  # what it would have hidden must stay hidden
        return f"<format_status raised {error!r}>"
    return status.get("state") if isinstance(status, dict) else status


def snapshot(server: Any) -> dict[str, str]:
    """Show each attribute as it is now, as far as ``format_status`` lets it be seen."""
    seen = formatted(server, "status")
    if not isinstance(seen, dict):
        return {"state": shown(seen)}
    return {str(name): shown(value) for name, value in seen.items()}


def shown(value: Any) -> str:
    """Show ``value``, also if its ``__repr__`` raises."""
    try:
        return repr(value)
    except Exception as error:  # a trace must not fail for what it shows
        return f"<{type(value).__qualname__} that cannot be shown: {type(error).__qualname__}>"

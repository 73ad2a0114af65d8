"""The state of a server as others may see it."""

from typing import Any


def attributes(server: Any) -> dict[str, Any]:
    """Collect the attributes of an instance, those in slots included."""
    found: dict[str, Any] = {}
    for cls in type(server).__mro__[:-1]:
        for slot in vars(cls).get("__slots__", ()):
            if slot not in ("pid", "__dict__", "__weakref__") and hasattr(server, slot):
                found[slot] = getattr(server, slot)
    found.update(vars(server))
    return found


def replace(server: Any, new: dict[str, Any]) -> None:
    """Give ``server`` the attributes ``new``, and none besides."""
    for name in attributes(server).keys() - new.keys():
        delattr(server, name)
    for name, value in new.items():
        setattr(server, name, value)


def formatted(server: Any, why: str, reason: Any = None) -> Any:
    """Return the attributes as the server's ``format_status`` lets them be seen."""
    facts = {"state": attributes(server), "reason": reason, "why": why}
    try:
        status = server.format_status(facts)
    except Exception as error:  # what it would have hidden must stay hidden
        return f"<format_status raised {error!r}>"
    return status.get("state") if isinstance(status, dict) else status

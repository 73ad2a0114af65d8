"""Convert problems of the HTTP API to messages for the command line."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

# The API's details name requests; the command line names the commands instead.
FIXES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "not-tracked": "track it with txtrack add",
        "unknown-endpoint": "txtrack webhook ls lists the endpoints",
        "unknown-provider": "txtrack provider ls lists the providers",
        "unknown-token": "txtrack token ls lists the tokens",
    }
)


def message(status: int, problem: Mapping[str, Any]) -> str:
    """Return the message for a problem.

    Args:
        status: HTTP status.
        problem: Problem details (RFC 9457); empty if the response has none.
    """
    detail = str(problem.get("detail") or problem.get("title") or f"HTTP status {status}")
    kind = str(problem.get("type", "")).rpartition(":")[2]
    if (fix := FIXES.get(kind)) is not None:
        # Replace the API's hint after the last semicolon: an id can contain semicolons too.
        return f"{detail.rpartition('; ')[0] or detail}; {fix}"
    errors = [_described(error) for error in problem.get("errors") or () if isinstance(error, dict)]
    text = "\n  ".join([f"the service refuses: {detail}", *_others(detail, errors)])
    if status == 401:
        text += "; set TXTRACK_TOKEN (txtrack token create makes one)"
    return text


def _others(detail: str, errors: list[str]) -> list[str]:
    """Return the errors, or none if the only one repeats the detail."""
    return [] if len(errors) == 1 and errors[0].endswith(detail) else errors


def _described(error: Mapping[str, Any]) -> str:
    place = str(error.get("pointer") or error.get("parameter") or error.get("header") or "")
    detail = str(error.get("detail", ""))
    return detail if detail.startswith(f"{place}:") or not place else f"{place}: {detail}"

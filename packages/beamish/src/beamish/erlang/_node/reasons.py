"""Converts exit reasons and errors to Erlang terms."""

from typing import Any

from beamish.erlang.terms import Atom

PYTHON = Atom("python")


def reason_term(reason: Any) -> Any:
    """Return an exit reason as a term: words become atoms, exceptions ``{python, Type, Text}``."""
    match reason:
        case str():
            return reason if isinstance(reason, Atom) or len(reason) > 255 else Atom(reason)
        case BaseException():
            return error_term(reason)
        case ("shutdown", detail):
            return (Atom("shutdown"), reason_term(detail))
        case _:
            return reason


def error_term(error: BaseException) -> tuple[Atom, str, str]:
    """Return an exception as ``{python, <<"ValueError">>, <<"text">>}``."""
    return (PYTHON, type(error).__qualname__, _text(error))


def unsendable_term(value: object) -> tuple[Atom, str, str]:
    """Return a term in the place of a value that has no form in Erlang."""
    return (PYTHON, type(value).__qualname__, "cannot be sent to Erlang")


def _text(error: BaseException) -> str:
    try:
        return str(error).encode(errors="replace").decode()
    except Exception:  # an error of a user's __str__ must not hide the crash
        return ""


def is_word(reason: Any, word: str) -> bool:
    """Return whether ``reason`` is the atom or string ``word``."""
    return isinstance(reason, str) and reason == word

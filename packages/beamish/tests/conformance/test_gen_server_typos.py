"""A method that looks like a misspelt callback is warned about when the class is defined."""

import warnings
from typing import Any

import pytest

from beamish import GenServer, call, cast


def defined(name: str, value: Any = None) -> list[str]:
    """Define a server with a method called ``name``; return the warnings."""

    def method(self: object, *_: object) -> None: ...

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        type("Server", (GenServer,), {name: method if value is None else value})
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("handle_cal", "handle_call"),
        ("handle_calls", "handle_call"),
        ("handel_call", "handle_call"),
        ("hande_cast", "handle_cast"),
        ("handle_csat", "handle_cast"),
        ("handle_inf", "handle_info"),
        ("handle_imfo", "handle_info"),
        ("handle_contnue", "handle_continue"),
        ("inti", "init"),
        ("termiante", "terminate"),
        ("terminat", "terminate"),
        ("format_statu", "format_status"),
    ],
)
def test_misspelt_callback_is_warned_about(name: str, meant: str) -> None:
    (message,) = defined(name)

    assert f"Server.{name} looks like a misspelt {meant}" in message


@pytest.mark.parametrize(
    "name",
    [
        "handle_call",
        "handle_info",
        "handle_timeout",
        "handle_event",
        "handle",
        "init",
        "unit",
        "exit",
        "inits",
        "terminated",
        "terminates",
        "determinate",
        "_handle_cal",
        "status",
    ],
)
def test_other_name_is_not_warned_about(name: str) -> None:
    assert defined(name) == []


@pytest.mark.parametrize("decorate", [call, cast])
def test_request_may_have_any_name(decorate: Any) -> None:
    def handle_cal(self: object) -> None: ...

    assert defined("handle_cal", decorate(handle_cal)) == []


def test_warning_points_at_the_class() -> None:
    with pytest.warns(UserWarning, match="handle_cal") as caught:

        class Misspelt(GenServer):
            def handle_cal(self) -> None: ...

    assert caught[0].filename == __file__

"""No request runs in a thread, as FastAPI does with functions that are not async."""

import inspect
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from fastapi.routing import APIRoute

from transaction_tracker.api.app import create_app
from transaction_tracker.api.routes import ROUTERS
from transaction_tracker.store.owned import unlimited


def functions(dependant: Any) -> Iterator[Any]:
    """Return the functions of a request, including its dependencies."""
    yield dependant.call
    for dependency in dependant.dependencies:
        yield from functions(dependency)


def test_every_route_and_dependency_is_async() -> None:
    app = create_app(SimpleNamespace(id_pattern="", owned_for=unlimited, shard=None))  # type: ignore[arg-type]
    listed = [*app.routes, *(route for router in ROUTERS for route in router.routes)]
    routes = [route for route in listed if isinstance(route, APIRoute)]

    called = {one for route in routes for one in functions(route.dependant)}
    called |= {one.dependency for one in app.router.dependencies}

    assert len(routes) > 20
    assert [one for one in called if not is_async(one)] == []


def is_async(function: Any) -> bool:
    call = function if inspect.isroutine(function) else type(function).__call__
    return inspect.iscoroutinefunction(call)

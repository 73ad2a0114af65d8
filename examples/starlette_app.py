"""A supervision tree inside a web framework: Starlette's lifespan, which FastAPI has, too.

The tree starts before the first request and stops after the last one.

Run it: ``python examples/starlette_app.py``, then ``curl -X POST localhost:8000/hits/home``
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from beamish import (
    AlreadyStartedError,
    Application,
    ChildSpec,
    DynamicSupervisor,
    GenServer,
    Pid,
    Registry,
    call,
)


class Page(GenServer, restart="transient"):
    """Counts the hits of one page."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.hits = 0

    @call
    def hit(self) -> int:
        """Count a hit; return how many there were."""
        self.hits += 1
        return self.hits

    def terminate(self, reason: object) -> None:
        """Say what was counted."""
        print(f"{self.path}: {self.hits} hits", flush=True)


class Pages(Application):
    """Who counts which page, and who starts the counters."""

    def children(self) -> list[ChildSpec]:
        """List what to start, in this order."""
        return [
            Registry.child_spec(keys="unique", name="Pages.Registry"),
            DynamicSupervisor.child_spec(name="Pages.Counters"),
        ]


async def page(path: str) -> Pid:
    """Find the process of a page, or start it."""
    name = Registry.via("Pages.Registry", path)
    try:
        return await DynamicSupervisor.start_child(
            "Pages.Counters", Page.child_spec(path, name=name)
        )
    except AlreadyStartedError as error:
        return error.pid  # type: ignore[no-any-return]


async def hit(request: Request) -> JSONResponse:
    return JSONResponse({"hits": await Page.hit(await page(request.path_params["path"]))})


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    async with Pages():
        yield


app = Starlette(routes=[Route("/hits/{path}", hit, methods=["POST"])], lifespan=lifespan)


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]) if len(sys.argv) > 1 else 8000)

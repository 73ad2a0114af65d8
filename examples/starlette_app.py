"""A supervision tree inside a web framework: Starlette's lifespan.

The tree starts before the first request and stops after the last one; it is that of `pages.py`.

Run it: ``python examples/starlette_app.py``, then ``curl -X POST localhost:8000/hits/home``
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from pages import Page, Pages, page  # type: ignore[import-not-found] # beside this file
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def hit(request: Request) -> JSONResponse:
    return JSONResponse({"hits": await Page.hit(await page(request.path_params["path"]))})


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    async with Pages():
        yield


app = Starlette(routes=[Route("/hits/{path}", hit, methods=["POST"])], lifespan=lifespan)


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]) if len(sys.argv) > 1 else 8000)

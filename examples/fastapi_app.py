"""A supervision tree inside FastAPI: its lifespan, and a route that calls a GenServer.

The tree starts before the first request and stops after the last one; it is that of `pages.py`. The
route waits at most half a second for the server, and says so if that is not enough.

Run it: ``python examples/fastapi_app.py``, then ``curl -X POST localhost:8000/hits/home``
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from pages import Page, Pages, page  # type: ignore[import-not-found] # beside this file

from beamish import CallTimeoutError, Pid


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with Pages():
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/hits/{path}")
async def hit(counter: Annotated[Pid, Depends(page)]) -> dict[str, int]:
    try:
        return {"hits": await Page.hit.timeout(0.5)(counter)}
    except CallTimeoutError as error:
        raise HTTPException(503, "the counter is busy") from error


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]) if len(sys.argv) > 1 else 8000)

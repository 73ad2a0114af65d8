"""The servers of `starlette_app.py` and `fastapi_app.py`: each page has one that counts its hits.

Run it: ``python examples/pages.py``
"""

import asyncio

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
        """Print the number of hits."""
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


async def main() -> None:
    async with Pages():
        for path in ("home", "about", "home"):
            print(path, await Page.hit(await page(path)))


if __name__ == "__main__":
    asyncio.run(main())

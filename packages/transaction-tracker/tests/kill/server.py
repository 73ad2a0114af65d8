"""A PostgreSQL server that is started anew in the middle of everything."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..postgres import Postgres, running, tool  # noqa: TID252


class Restartable:
    """A server of its own, which nobody else misses while it is away."""

    def __init__(self, server: Postgres) -> None:
        self.server = server

    async def restart(self) -> None:
        """Stop it as a crash does, and start it again."""
        await asyncio.to_thread(self._control, "restart", "-m", "immediate", "-l", self._log)

    def stop(self) -> None:
        """Stop it for good; who started it may be gone."""
        self._control("stop", "-m", "immediate")

    @property
    def _log(self) -> str:
        # Not the first one's: whoever may start the server may not write there.
        return str(self.server.folder / "log of restarts")

    def _control(self, *command: str) -> None:
        arguments = [tool("pg_ctl"), "-D", self.server.folder / "data", "-w", "-s", *command]
        done = subprocess.run(
            arguments, capture_output=True, text=True, cwd=self.server.folder, **self._user()
        )
        assert done.returncode == 0, done.stderr

    def _user(self) -> dict[str, Any]:
        """Be who owns it: the server serves nobody who is root."""
        if os.geteuid() != 0:
            return {}
        owner = self.server.folder.stat()
        return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}


@contextmanager
def restartable() -> Iterator[Restartable]:
    """Run a server for as long as the context lasts."""
    with running() as server:
        controlled = Restartable(server)
        try:
            yield controlled
        finally:
            controlled.stop()

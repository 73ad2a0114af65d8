"""A PostgreSQL server that is restarted while it is in use."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..postgres import Postgres, running, tool  # noqa: TID252


class RestartableServer:
    """A server that no other test uses."""

    def __init__(self, server: Postgres) -> None:
        self.server = server

    async def restart(self) -> None:
        """Stop the server without a shutdown, as in a crash, and start it again."""
        await asyncio.to_thread(self._control, "restart", "-m", "immediate", "-l", self._log)

    def stop(self) -> None:
        """Stop the server; the process that started it can be gone."""
        self._control("stop", "-m", "immediate")

    @property
    def _log(self) -> str:
        # Not the log of the first start: the user of the server has no permission to write there.
        return str(self.server.folder / "log of restarts")

    def _control(self, *command: str) -> None:
        arguments = [tool("pg_ctl"), "-D", self.server.folder / "data", "-w", "-s", *command]
        done = subprocess.run(
            arguments, capture_output=True, text=True, cwd=self.server.folder, **self._user()
        )
        assert done.returncode == 0, done.stderr

    def _user(self) -> dict[str, Any]:
        """Return the owner of the data as the user: PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return {}
        owner = self.server.folder.stat()
        return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}


@contextmanager
def restartable_server() -> Iterator[RestartableServer]:
    """Run a server inside the context."""
    with running() as server:
        controlled = RestartableServer(server)
        try:
            yield controlled
        finally:
            controlled.stop()

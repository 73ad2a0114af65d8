"""The keeper: stores changes of alerts, and reads the database and the disk for the watcher."""

import asyncio
import shutil
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from beamish import Continue, ExitError, GenServer, Ref, process
from transaction_tracker.alerts import names
from transaction_tracker.alerts.board import AlertBoard
from transaction_tracker.alerts.names import SyncAlerts
from transaction_tracker.domain.alert import Alert, AlertNotice
from transaction_tracker.store import Store, StoreError
from transaction_tracker.store import alerts as stored
from transaction_tracker.store.alerts import AlertChanges, DatabaseView
from transaction_tracker.threads import DaemonThreads

SYNC_SECONDS = 5.0
# Until the stored alerts are loaded, nothing is raised. The database starts after this process.
_LOAD_SECONDS = 0.2

_Stored = tuple[list[Alert], list[AlertNotice]]


class AlertKeeper(GenServer):
    """Store the changes of alerts at once, and read the database every 5 s.

    The only process of the alerts that waits for the database. While the database does not answer,
    changes stay on the board.

    Args:
        board: The alerts.
        database: File of the database; ``None`` for a server, or a database in memory.
    """

    def __init__(self, board: AlertBoard, database: Path | None = None) -> None:
        self._board = board
        self._database = database
        # A file system that hangs must block neither the event loop nor the program's end.
        self._thread = DaemonThreads(1, "disk")
        self._timer: Ref | None = None

    def init(self) -> Continue:
        """Read the database as soon as it has started."""
        return Continue(SyncAlerts())

    async def handle_continue(self, _arg: object) -> None:
        """Read the database for the first time."""
        await self._sync_and_schedule()

    async def handle_cast(self, _request: SyncAlerts) -> None:
        """Store changes now, unless an earlier request has stored them."""
        if self._board.has_changes:
            await self._sync()

    async def handle_info(self, message: object) -> None:
        """Store changes and read the database periodically."""
        match message:
            case SyncAlerts():
                await self._sync_and_schedule()
            case _:
                super().handle_info(message)

    def terminate(self, _reason: object) -> None:
        """Stop the thread."""
        self._thread.shutdown()

    async def _sync_and_schedule(self) -> None:
        try:
            if await self._sync():
                self._board.free_percent = await self._read_disk()
                names.evaluate()
        finally:
            if self._timer is not None:
                process.cancel_timer(self._timer)
            seconds = SYNC_SECONDS if self._board.loaded else _LOAD_SECONDS
            self._timer = process.send_after(self.pid, SyncAlerts(), seconds)

    async def _sync(self) -> bool:
        """Store changes and read the database; return whether it answered."""
        board, changes = self._board, self._board.changes()
        work = partial(_exchange, changes=changes, loads=not board.loaded)
        try:
            view, known = await Store.run(work)
        except (StoreError, ExitError):
            # It is not running, rejects the work or does not answer. The board counts the seconds
            # since its last answer, and the watcher reports them.
            return False
        board.stored(changes)
        if known is not None:
            board.load(*known)
        board.answered(view)
        names.deliver()  # endpoints can have been changed or enabled
        return True

    async def _read_disk(self) -> float | None:
        """Return the free part of the database's file system, in percent."""
        if self._database is None:
            return None
        loop, folder = asyncio.get_running_loop(), self._database.resolve().parent
        try:
            usage = await loop.run_in_executor(self._thread, shutil.disk_usage, folder)
        except OSError:  # the folder was removed; the database will report that
            return None
        # Of what this program can use: file systems reserve a part for the administrator.
        return 100.0 * usage.free / max(1, usage.used + usage.free)


def _exchange(
    connection: Connection, changes: AlertChanges, *, loads: bool
) -> tuple[DatabaseView, _Stored | None]:
    stored.save(connection, changes)
    known = stored.load(connection) if loads else None
    return stored.view(connection), known

"""Notify systemd of the service's state, if systemd started the service."""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

logger: logging.Logger = logging.getLogger("transaction_tracker")


def notify(state: str) -> None:
    """Send a state such as ``READY=1`` to systemd; no effect if systemd does not listen.

    Source:
        sd_notify(3): a datagram to the socket named in ``NOTIFY_SOCKET``; a leading ``@`` stands
        for the zero byte of an abstract address.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    # A failure must not stop the service: without the notification, systemd restarts it in time.
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(state.encode(), address.replace("@", "\0", 1))
    except OSError as error:
        logger.warning("cannot notify systemd: %s", error.strerror)


@asynccontextmanager
async def ready() -> AsyncIterator[None]:
    """Report readiness while the block runs, and send heartbeats to systemd's watchdog.

    Source:
        sd_watchdog_enabled(3): ``WATCHDOG_USEC`` is the timeout; half of it is the recommended
        interval.
    """
    notify("READY=1")
    micros = os.environ.get("WATCHDOG_USEC", "")
    watch = asyncio.create_task(_watchdog(int(micros) / 2e6)) if micros.isdecimal() else None
    try:
        yield
    finally:
        if watch is not None:
            watch.cancel()
        notify("STOPPING=1")


async def _watchdog(pause: float) -> None:
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(pause)

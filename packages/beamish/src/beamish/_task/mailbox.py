"""Taking messages of a task back out of its owner's mailbox."""

from collections import deque
from collections.abc import Callable
from typing import Any

from beamish._runtime.process import Process
from beamish._runtime.tasks import TaskProcess
from beamish._server.process import ServerProcess


def remove(process: Process, unwanted: Callable[[Any], bool]) -> None:
    """Remove the waiting messages that are ``unwanted``."""
    if isinstance(process, TaskProcess):
        kept = deque(message for message in process._mailbox if not unwanted(message))
        if len(kept) != len(process._mailbox):
            process._mailbox = kept
            process._taken += 1  # so that a receive that is under way starts its scan anew
    elif isinstance(process, ServerProcess) and process.mailbox:
        info = process.table.info
        items = [
            item for item in process.mailbox if item[0] is not info or not unwanted(item[1][0])
        ]
        process.mailbox.clear()
        process.mailbox.extend(items)

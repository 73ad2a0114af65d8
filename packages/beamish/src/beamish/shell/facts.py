"""Snapshots as lines of text, for the commands ``top`` and ``info``.

When not to use it: in a program; the observer's API returns JSON.
"""

import time
from typing import Any

from beamish.shell.table import aligned

_SIZES = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def safe(value: Any) -> str:
    """Return a text whose characters cannot control the terminal."""
    return "".join(char if char.isprintable() else "�" for char in str(value))


def pid_text(pid: int | None) -> str:
    """Return a pid as the library shows it."""
    return "-" if pid is None else f"#PID<0.{pid}.0>"


def size(count: int | None) -> str:
    """Return a number of bytes in a unit that fits."""
    if count is None:
        return "-"
    for unit, name in _SIZES:
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} B"


def process_lines(found: dict[str, Any]) -> str:
    """Return the facts about a process."""
    started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(found["started_at"]))
    rows = [
        ("pid", pid_text(found["pid"])),
        ("class", found["class_name"]),
        ("names", ", ".join(found["names"]) or "-"),
        ("label", found["label"] or "-"),
        ("status", found["status"]),
        ("callback", found["callback"] or "-"),
        *(("waits in", line) for line in found["waiting"][-1:]),
        ("queue", f"{found['queue']:,} messages"),
        ("handled", f"{found['handled']:,} messages"),
        ("memory", f"{found['memory_bytes']:,} bytes, without objects that its state refers to"),
        ("trap_exit", str(found["trap_exit"])),
        *((name, _related(found[name])) for name in ("links", "monitors", "monitored_by")),
        ("started", f"{started} by {_related(found['ancestors'], ' < ')}"),
        ("restarts", f"{found['restarts']:,} since the recording began"),
        *_supervisor(found["supervisor"]),
        *(("crash", _crash(crash)) for crash in found["crashes"][:5]),
    ]
    return aligned([(name.replace("_", " "), safe(value)) for name, value in rows])


def _related(found: dict[str, Any], between: str = ", ") -> str:
    first = [_one(item) for item in found["first"][:10]]
    more = found["total"] - len(first)
    return (between.join(first) + (f", … {more:,} more" if more > 0 else "")) or "-"


def _one(item: dict[str, Any]) -> str:
    name = item["name"] or item["class_name"] or "exited"
    return f"{pid_text(item['pid'])} ({name})"


def _supervisor(found: dict[str, Any] | None) -> list[tuple[str, str]]:
    if found is None:
        return []
    children = f"{found['children']:,}, of which {found['restarting']:,} are restarting"
    used = restarts(found["restarts"])
    return [("strategy", found["strategy"]), ("restarts used", used), ("children", children)]


def restarts(found: dict[str, Any] | None) -> str:
    """Return the restarts used of those allowed."""
    if found is None:
        return "-"
    return f"{found['used']:,} of {found['allowed']:,} in {found['seconds']:g} s"


def _crash(crash: dict[str, Any]) -> str:
    at = time.strftime("%H:%M:%S", time.localtime(crash["at"]))
    return f"{at} {crash['pid']} {crash['reason']}"

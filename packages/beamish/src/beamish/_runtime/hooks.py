"""The hooks: functions of other packages that the library calls without importing them.

The runtime is the lowest layer that runs code. What observes it, such as `_diagnostics`, is built
on top of it, and appends its functions to these lists when it is imported.
"""

from collections.abc import Callable
from typing import Any

runtime_created: list[Callable[[Any], object]] = []
"""Called with the `Runtime` of an event loop on its first use; not for a simulated loop."""

process_crashed: list[Callable[[Any, BaseException], object]] = []
"""Called with a `SpawnedProcess` and the exception that its coroutine has raised."""

child_restarted: list[Callable[[Any, Any], object]] = []
"""Called with the last and the new `Pid` of a child that its supervisor has restarted."""

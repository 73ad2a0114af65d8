"""Messages that the runtime and the registries send to processes."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from beamish.pid import Pid, Ref


@dataclass(frozen=True, slots=True)
class Down:
    """A monitored process is dead.

    Args:
        ref: What `process.monitor` returned.
        pid: The process; the destination that was given when there was no such process.
        reason: Its exit reason, ``"noproc"`` when it was dead before.

    Source:
        Erlang's ``{'DOWN', Ref, process, Pid, Reason}``.
    """

    ref: Ref
    pid: Any
    reason: Any


@dataclass(frozen=True, slots=True)
class Exit:
    """An exit signal, as a process that traps exits sees it.

    Source:
        Erlang's ``{'EXIT', Pid, Reason}``.
    """

    pid: Pid
    reason: Any


@dataclass(frozen=True, slots=True)
class Registered:
    """To a registry's listeners: ``pid`` took ``key``.

    Source:
        Elixir's ``{:register, registry, key, pid, value}``.
    """

    registry: str
    key: Hashable
    pid: Pid
    value: Any


@dataclass(frozen=True, slots=True)
class Unregistered:
    """To a registry's listeners: ``pid`` holds ``key`` no more.

    Source:
        Elixir's ``{:unregister, registry, key, pid}``.
    """

    registry: str
    key: Hashable
    pid: Pid

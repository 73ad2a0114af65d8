"""Messages that the runtime and the registries send to processes."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from beamish.pid import Pid, Ref


@dataclass(frozen=True, slots=True)
class Down:
    """A monitored process ended.

    Args:
        ref: The reference that `process.monitor` returned.
        pid: The process; the monitored destination if no such process existed.
        reason: Its exit reason; ``"noproc"`` if no such process existed.

    Source:
        Erlang's ``{'DOWN', Ref, process, Pid, Reason}``.
    """

    ref: Ref
    pid: Any
    reason: Any


@dataclass(frozen=True, slots=True)
class Exit:
    """An exit signal, as a message to a process that traps exits.

    Source:
        Erlang's ``{'EXIT', Pid, Reason}``.
    """

    pid: Pid
    reason: Any


@dataclass(frozen=True, slots=True)
class Registered:
    """Sent to a registry's listeners: ``pid`` registered ``key``.

    Source:
        Elixir's ``{:register, registry, key, pid, value}``.
    """

    registry: str
    key: Hashable
    pid: Pid
    value: Any


@dataclass(frozen=True, slots=True)
class Unregistered:
    """Sent to a registry's listeners: ``pid`` no longer holds ``key``.

    Source:
        Elixir's ``{:unregister, registry, key, pid}``.
    """

    registry: str
    key: Hashable
    pid: Pid

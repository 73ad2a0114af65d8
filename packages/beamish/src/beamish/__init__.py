"""OTP for asyncio: GenServer, Registry, DynamicSupervisor and what surrounds them."""

from typing import TYPE_CHECKING

from beamish import _accelerate, debug, from_thread, process, telemetry
from beamish.agent import Agent
from beamish.application import Application, run
from beamish.child_spec import Backoff, ChildSpec
from beamish.dynamic_supervisor import DynamicSupervisor
from beamish.errors import (
    AlreadyPresentError,
    AlreadyRegisteredError,
    AlreadyStartedError,
    BeamishError,
    CallingSelfError,
    CallTimeoutError,
    ExitError,
    IgnoredError,
    MaxChildrenError,
    NoProcessError,
    NotFoundError,
    StartError,
)
from beamish.gen_server import From, GenServer, call, cast
from beamish.heap import freeze_heap
from beamish.messages import Down, Exit, Registered, Unregistered
from beamish.partition_supervisor import PartitionSupervisor
from beamish.pid import Pid, Ref, Via
from beamish.registry import Registry
from beamish.results import (
    IGNORE,
    ChildInfo,
    Continue,
    Counts,
    Exited,
    Fail,
    Hibernate,
    NoReply,
    Ok,
    Reply,
    Stop,
    Timeout,
)
from beamish.supervisor import Supervisor
from beamish.task import Task
from beamish.task_supervisor import TaskSupervisor

_accelerate.install()

__all__ = [
    "IGNORE",
    "Agent",
    "AlreadyPresentError",
    "AlreadyRegisteredError",
    "AlreadyStartedError",
    "Application",
    "Backoff",
    "BeamishError",
    "CallTimeoutError",
    "CallingSelfError",
    "ChildInfo",
    "ChildSpec",
    "Continue",
    "Counts",
    "Down",
    "DynamicSupervisor",
    "Exit",
    "ExitError",
    "Exited",
    "Fail",
    "From",
    "GenServer",
    "Hibernate",
    "IgnoredError",
    "MaxChildrenError",
    "NoProcessError",
    "NoReply",
    "NotFoundError",
    "Ok",
    "PartitionSupervisor",
    "Pid",
    "Ref",
    "Registered",
    "Registry",
    "Reply",
    "StartError",
    "Stop",
    "Supervisor",
    "Task",
    "TaskSupervisor",
    "Timeout",
    "Unregistered",
    "Via",
    "call",
    "cast",
    "debug",
    "freeze_heap",
    "from_thread",
    "process",
    "run",
    "telemetry",
]

if TYPE_CHECKING:
    __version__: str
else:

    def __getattr__(name):
        """Look up ``__version__``; importing what knows it takes as long as all of beamish."""
        if name != "__version__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib.metadata import version

        return version(__name__)

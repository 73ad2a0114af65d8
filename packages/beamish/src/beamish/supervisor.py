"""`Supervisor`: starts children in order, restarts those that fail, stops them in reverse.

When not to use it: for many children of one kind that are started on demand, `DynamicSupervisor`
costs less and stops them concurrently.

Source:
    Elixir's ``Supervisor`` and Erlang's ``supervisor``.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from beamish import _checks, process
from beamish._runtime.context import current_pid
from beamish._server.base import behaviour
from beamish._server.methods import checked_call
from beamish._strategy import AUTO_SHUTDOWNS, STRATEGIES, AutoShutdown, Strategy
from beamish._supervision.blocks import cancelled_at_death_of, stopped
from beamish._supervision.errors import significance_error
from beamish._supervision.ordered import OrderedChildren, SupervisorSpec
from beamish._supervision.specs import as_spec, check_ids, check_intensity, hashable_id
from beamish.pid import Name, Pid


@behaviour
class Supervisor(OrderedChildren):
    """A supervisor of an ordered list of children, and the base of module-based ones.

    A subclass that defines ``init(self, ...)``, which returns ``Supervisor.spec(children, ...)``,
    is started with the arguments of ``init``; otherwise ``start_link`` and ``child_spec`` take
    what `spec` takes. The client functions take the supervisor's pid or name first.
    """

    @staticmethod
    def spec(
        children: Iterable[Any],
        *,
        strategy: Strategy = "one_for_one",
        max_restarts: int = 3,
        max_seconds: float = 5.0,
        auto_shutdown: AutoShutdown = "never",
    ) -> SupervisorSpec:
        """Check the children and options of a supervisor.

        Args:
            children: `ChildSpec` values, or classes that start without arguments, in start order.
            strategy: The children to restart when a child fails: ``"one_for_one"`` (that child),
                ``"one_for_all"`` or ``"rest_for_one"`` (that child and those after it).
            max_restarts: Maximum number of restarts within ``max_seconds``; at one more, the
                supervisor stops its children and exits with ``"shutdown"``.
            max_seconds: The length of that window, in seconds.
            auto_shutdown: Whether the supervisor shuts down when ``"any_significant"`` child or
                ``"all_significant"`` children have exited by themselves. Default: ``"never"``.

        Raises:
            ValueError: An option has a value that is not allowed, or an id is used twice.
            TypeError: A child is neither a specification nor such a class.

        Source:
            ``Supervisor.init/2``.
        """
        specs = tuple(as_spec(child) for child in children)
        _checks.one_of("strategy", strategy, STRATEGIES)
        check_intensity(max_restarts, max_seconds)
        _checks.one_of("auto_shutdown", auto_shutdown, AUTO_SHUTDOWNS)
        check_ids(specs)
        for spec in specs:
            if spec.significant and auto_shutdown == "never":
                raise significance_error(spec)
        return SupervisorSpec(specs, strategy, max_restarts, max_seconds, auto_shutdown)

    @classmethod
    @asynccontextmanager
    async def running(
        cls, *args: Any, name: Name | None = None, **kwargs: Any
    ) -> AsyncIterator[Pid]:
        """Run a supervisor for the length of an ``async with`` block.

        The current task becomes a process, if it is not one already. At the end of the block the
        children stop in reverse order. If the supervisor dies, the block is cancelled and raises
        `ExitError`.
        """
        before = current_pid.get()
        async with process.attach() as me:
            pid = await cls.start_link(*args, name=name, **kwargs)
            async with AsyncExitStack() as block:
                block.push_async_callback(stopped, pid)
                if me is before:
                    # Watched instead of linked: its death must end this block, not the process
                    # around it.
                    process.unlink(pid)
                    await block.enter_async_context(cancelled_at_death_of(pid))
                else:
                    block.callback(_unlink, pid, me)
                yield pid

    @checked_call(as_spec, timeout=None)
    async def start_child(self, child: Any) -> Pid:
        """Add a child to a supervisor and start it.

        Args:
            child: A `ChildSpec`, or a class that starts without arguments.

        Raises:
            AlreadyStartedError: A child with this id is running.
            AlreadyPresentError: A child with this id exists, but is not running.
            IgnoredError: Its ``init`` returned `IGNORE`; its specification is kept.
            StartError: The child failed to start; its specification is dropped.

        Source:
            ``Supervisor.start_child/2``.
        """
        return await self._add(child)

    @checked_call(hashable_id, timeout=None)
    async def terminate_child(self, id: Any) -> None:  # noqa: A002
        """Stop a child; its specification stays, unless it is temporary.

        Raises:
            NotFoundError: There is no such child.

        Source:
            ``Supervisor.terminate_child/2``.
        """
        return await self._stop_child(id)  # type: ignore[return-value] # Fail or None

    @checked_call(hashable_id, timeout=None)
    async def restart_child(self, id: Any) -> Pid:  # noqa: A002
        """Start a child that was stopped.

        Raises:
            NotFoundError: There is no such child.
            AlreadyStartedError: The child is running, or being restarted.
            StartError: The child failed to start.

        Source:
            ``Supervisor.restart_child/2``.
        """
        return await self._start_again(id)

    @checked_call(hashable_id, timeout=None)
    def delete_child(self, id: Any) -> None:  # noqa: A002
        """Delete the specification of a child that is not running.

        Raises:
            NotFoundError: There is no such child.
            AlreadyStartedError: The child is running; stop it first.

        Source:
            ``Supervisor.delete_child/2``.
        """
        return self._delete(id)  # type: ignore[return-value]


def _unlink(supervisor: Pid, me: Pid) -> None:
    if supervisor._process is not None:
        supervisor._process.unlink(me)

"""Runs the exposed functions for `rpc` and `erpc` of other nodes.

``erpc:call`` asks for a process that runs ``erpc:execute_call(Ref, Module, Function, Arguments)``
and monitors it; the result is its exit reason. Nothing else can be spawned here.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from beamish._runtime.process import OnDeath
from beamish._runtime.tasks import SpawnedProcess
from beamish.erlang._format.encoder import encode
from beamish.erlang._node.peer import Op, Peer
from beamish.erlang._node.reasons import error_term, unsendable_term
from beamish.erlang.errors import TermError
from beamish.erlang.terms import Atom, ErlangRef
from beamish.pid import Pid

MAX_RUNNING_FUNCTIONS = 1000
"""Maximum number of exposed functions that run at once; more calls are refused."""

Function = Callable[..., Any]

_RETURN, _ERROR, _ERPC = Atom("return"), Atom("error"), Atom("erpc")
_MONITORED = 2  # the flag of a spawn reply


class _Run:
    """Watches the process that runs one function."""

    def __init__(self, finished: Callable[[Pid, Any], None]) -> None:
        self.results: list[Any] = []  # the result, when the function has returned
        self._finished = finished

    def died(self, pid: Pid, reason: Any) -> None:
        """Send the result, or the exit reason if the process was killed."""
        self._finished(pid, self.results[0] if self.results else reason)


class Functions:
    """The exposed functions of a node.

    Args:
        functions: Each function by ``"module.function"``.
    """

    def __init__(self, functions: Mapping[str, Function]) -> None:
        for name, function in functions.items():
            if "." not in name or not callable(function):
                raise TypeError(
                    f'functions must map "module.function" to callables; got {name!r}: {function!r}'
                )
        self._functions = dict(functions)
        self._running = 0

    def spawn(
        self, peer: Peer, ref: ErlangRef, owner: Pid, function: Any, options: Any, arguments: Any
    ) -> None:
        """Handle a request to spawn a process."""
        monitored = isinstance(options, list) and Atom("monitor") in options
        match function, arguments:
            case ("erpc", "execute_call", 4), [tag, module, name, list(args)]:
                pass
            case ("erpc", "execute_cast", 3), [module, name, list(args)]:
                tag = None
            case _:
                peer.send((Op.SPAWN_REPLY, ref, owner, 0, Atom("notsup")))
                return

        def finished(pid: Pid, reason: Any) -> None:
            if peer.monitors.pop(ref, None) is not None:
                peer.send_reason(Op.MONITOR_P_EXIT, pid, owner, ref, reason)

        def executed(outcome: tuple[Any, ...]) -> tuple[Any, ...]:
            return _sendable(peer, (tag, *outcome), tag)

        run = _Run(finished)
        pid = self._start(peer, module, name, args, run, executed)
        if monitored:
            peer.monitors[ref] = (pid, run)
        peer.send((Op.SPAWN_REPLY, ref, owner, _MONITORED if monitored else 0, pid))

    def call(self, peer: Peer, request: Any, answer: Callable[[Any], None]) -> None:
        """Handle a request to ``rex``, as ``rpc`` of older nodes and of beamish sends it."""
        match request:
            case (Atom("call"), module, name, list(args), _):
                pass
            case _:
                answer((Atom("badrpc"), Atom("notsup")))
                return

        def executed(outcome: tuple[Any, ...]) -> Any:
            kind, value, *_ = outcome
            return value if kind == _RETURN else (Atom("badrpc"), (Atom("EXIT"), value))

        run = _Run(lambda _, result: answer(result))
        self._start(peer, module, name, args, run, executed)

    def _start(
        self,
        peer: Peer,
        module: Any,
        name: Any,
        args: list[Any],
        run: _Run,
        executed: Callable[[tuple[Any, ...]], Any],
    ) -> Pid:
        """Start the process that runs a function; ``run`` gets the result of ``executed``."""
        function = self._functions.get(f"{module}.{name}")
        too_many = self._running >= MAX_RUNNING_FUNCTIONS

        async def execute() -> None:
            outcome: tuple[Any, ...]
            if function is None:
                outcome = (_ERROR, (Atom("undef"), [(module, name, args, [])]), [])
            elif too_many:
                outcome = (_ERROR, (_ERPC, Atom("system_limit")))
            else:
                outcome = await _outcome(function, args)
            run.results.append(executed(outcome))

        process = SpawnedProcess(peer.table.runtime, peer.table.me, f"{module}.{name}")
        self._running += 1
        process.watch(OnDeath(self._ended))
        process.watch(run)
        process.run(execute())
        return process.pid

    def _ended(self, pid: Pid, reason: Any) -> None:
        self._running -= 1


async def _outcome(function: Function, args: list[Any]) -> tuple[Any, ...]:
    """Return ``(return, value)``, or ``(error, reason, stack)`` as ``erpc`` expects it."""
    try:
        value = function(*args)
        return (_RETURN, await value if inspect.isawaitable(value) else value)
    except Exception as error:  # sent to the caller, as a crash of a spawned function is
        return (_ERROR, error_term(error), [])


def _sendable(peer: Peer, result: tuple[Any, ...], tag: Any) -> tuple[Any, ...]:
    """Return ``result``, or an error in its place if it has no form in Erlang."""
    try:
        encode(peer.table, result)
    except TermError:
        return (tag, _ERROR, unsendable_term(result[-1]), [])
    return result

"""The callbacks and options of a class of servers, collected once, at its definition."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from beamish import _checks
from beamish._server.methods import CallMethod, CastMethod
from beamish._server.requests import describe
from beamish._server.signature import (
    check_handoff,
    check_init_parameters,
    checker,
    checker_of,
    has_parameter,
)
from beamish.child_spec import Restart, Shutdown, check_restart, check_shutdown
from beamish.results import Fail

_log = logging.getLogger("beamish")


class Callback:
    """One callback of a class of servers.

    Args:
        name: Its name.
        function: The method; its first argument is the server.
        is_call: Whether its result is the reply to a call.
        wants_from: Whether it takes ``from_``.
        plain: Whether a result of ``None`` needs no action, as of a cast or message.
    """

    __slots__ = ("bare", "function", "is_call", "name", "plain", "wants_from")

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        *,
        is_call: bool = False,
        wants_from: bool = False,
        plain: bool = False,
    ) -> None:
        self.name = name
        self.function = function
        self.is_call = is_call
        self.wants_from = wants_from
        self.plain = plain
        # The item of a cast without arguments; one object for all of them.
        self.bare: Any = (self, (), None, None, None)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a class of servers, given as class keywords and inherited.

    Args:
        restart: How a supervisor restarts it.
        shutdown: How a supervisor stops it.
        trap_exit: Whether exit signals reach it as messages.
    """

    restart: Restart = "permanent"
    shutdown: Shutdown = 5.0
    trap_exit: bool = False

    def __post_init__(self) -> None:
        check_restart(self.restart)
        check_shutdown(self.shutdown)
        _checks.one_of("trap_exit", self.trap_exit, (True, False))


class CallbackTable:
    """The callbacks and options of one class of servers.

    Args:
        cls: The class.
        options: Its options.
        base: The behaviour that it subclasses, such as `GenServer`.
        prefix: The prefix of its callbacks' names: empty for users' servers, an underscore for
            the library's own, so that their subclasses can use all other names.
    """

    __slots__ = (
        "base",
        "calls",
        "casts",
        "check_init",
        "check_start",
        "cls",
        "continued",
        "dependents",
        "eager",
        "format_status",
        "handle_cast",
        "handoff",
        "info",
        "init",
        "options",
        "own_start_link",
        "plain",
        "prefix",
        "prepare",
        "qualname",
        "start",
        "takes_handoff",
        "terminate",
        "with_from",
    )

    def __init__(self, cls: Any, options: Options, *, base: Any, prefix: str) -> None:
        self.cls = cls
        self.options = options
        self.base = base
        self.prefix = prefix
        self.qualname: str = cls.__qualname__  # for logs and crash reports
        self.start: Any = None  # that of its child specifications; made by the first of them
        self.check_no_init()
        self.eager = prefix != "" and cls._child_exited is not None
        # Generated at the first start: a decorator such as `dataclass` adds __init__ after the
        # class is defined.
        self.check_init: Callable[..., None] = self._check_init_first
        self.init = self._own("init")
        # Only a cluster moves servers from host to host, and it moves those of users.
        self.handoff = None if prefix else self._own("handoff")
        if self.handoff is not None:
            check_handoff(cls)
        self.takes_handoff = (
            not prefix and self.init is not None and has_parameter(self.init, "handoff")
        )
        terminate = self._own("terminate")
        self.terminate = None if terminate is None else Callback("terminate", terminate)
        self.dependents = cls._dependents if prefix else None
        self.prepare = cls._prepare if prefix else None
        self.format_status = self._named("format_status")
        self.info = Callback("handle_info", self._named("handle_info"), plain=True)
        self.continued = Callback("handle_continue", self._named("handle_continue"), plain=True)
        handle_call = self._named("handle_call")
        self.calls: dict[str, Callback] = {
            "handle_call": Callback("handle_call", handle_call, is_call=True, wants_from=True)
        }
        self.handle_cast = Callback("handle_cast", self._named("handle_cast"), plain=True)
        self.casts: dict[str, Callback] = {"handle_cast": self.handle_cast}
        # A class can define its own start_link, which supervisors must then use.
        self.own_start_link = cls.start_link.__func__ is not base.start_link.__func__
        self.check_start = checker_of(cls.start_link) if self.own_start_link else self.check_init
        self._collect(cls)
        # For the fast path of the clients: the functions that take ``from_``, and the others.
        self.plain = self._functions(wants_from=False)
        self.with_from = self._functions(wants_from=True)

    def _functions(self, *, wants_from: bool) -> Mapping[str, Callable[..., Any]]:
        return {
            name: callback.function
            for name, callback in self.calls.items()
            if callback.wants_from is wants_from
        }

    def _named(self, name: str) -> Any:
        return getattr(self.cls, self.prefix + name)

    def _own(self, name: str) -> Any:
        """Return a callback, or ``None`` for the default, which does nothing."""
        function = self._named(name)
        return None if function is getattr(self.base, name, None) else function

    def check_no_init(self) -> None:
        """Raise `TypeError` if a subclass of the library's own server defines ``__init__``."""
        if not self.prefix or self.base.__init__ in (self.cls.__init__, object.__init__):
            return
        advice = "; put it into init" if hasattr(self.base, "init") else ""
        raise TypeError(
            f"{self.qualname} must not define __init__, because {self.base.__qualname__} needs "
            f"its own{advice}"
        )

    def _check_init_first(self, *args: Any, **kwargs: Any) -> None:
        check_init_parameters(self.cls)
        self.check_init = checker(self.cls)
        if not self.own_start_link:
            self.check_start = self.check_init
        self.check_init(*args, **kwargs)

    def _collect(self, cls: type) -> None:
        for parent in reversed(cls.__mro__):
            for name, value in vars(parent).items():
                if isinstance(value, CallMethod | CastMethod):
                    self._add(parent, name, value)
                elif callable(value) and not self.prefix:
                    self._override(name, value)

    def _add(
        self, parent: type, name: str, method: CallMethod[..., Any] | CastMethod[..., Any]
    ) -> None:
        if self.prefix:
            name = method.name  # without the prefix
            if (name in self.calls or name in self.casts) and parent not in self.base.__mro__:
                raise TypeError(
                    f"{parent.__qualname__} must not redefine the request {name!r} of "
                    f"{self.base.__qualname__}; give the method another name"
                )
        if isinstance(method, CallMethod):
            self.calls[name] = Callback(
                name, method.function, is_call=True, wants_from=method.wants_from
            )
        else:
            self.casts[name] = Callback(name, method.function, plain=True)

    def _override(self, name: str, function: Callable[..., Any]) -> None:
        # A plain method that overrides a @call or @cast method handles its requests.
        for kind in (self.calls, self.casts):
            known = kind.get(name)
            if known is not None and not name.startswith("handle_"):
                kind[name] = Callback(
                    name,
                    function,
                    is_call=known.is_call,
                    wants_from=known.wants_from,
                    plain=known.plain,
                )

    def call(self, name: str) -> Callback:
        """Return the callback of a call.

        An unknown call crashes a user's server; the library's own servers reply with an error.
        """
        answer = _refuse_call if self.prefix else _crash
        return self.calls.get(name) or Callback(name, answer(name, "call"), is_call=True)

    def cast(self, name: str) -> Callback:
        """Return the callback of a cast.

        An unknown cast crashes a user's server; the library's own servers log it.
        """
        function = _log_cast(name) if self.prefix else _crash(name, "cast")
        return self.casts.get(name) or Callback(name, function, plain=True)


def _crash(name: str, kind: str) -> Callable[..., Any]:
    def crash(server: object, *args: object, **kwargs: object) -> None:
        raise _unknown(server, name, kind)

    return crash


def _refuse_call(name: str, kind: str) -> Callable[..., Any]:
    def refuse(server: object, *args: object, **kwargs: object) -> Fail:
        return Fail(_unknown(server, name, kind))

    return refuse


def _log_cast(name: str) -> Callable[..., Any]:
    def log(server: Any, *args: object, **kwargs: object) -> None:
        shown = describe(name, args)
        _log.error("%s %r got the unexpected cast %s", type(server).__qualname__, server.pid, shown)

    return log


def _unknown(server: object, name: str, kind: str) -> TypeError:
    return TypeError(
        f"{type(server).__qualname__} got the {kind} {name!r} but has no such @{kind} method"
    )

"""Generates functions with a given signature, so that Python itself checks the arguments.

Binding with `inspect` takes microseconds a call. A function with the same parameters costs
nothing extra, and raises Python's usual errors.
"""

import inspect
from collections.abc import Callable
from typing import Any

_KIND = inspect.Parameter
_RESERVED = ("name", "timeout")


class Parameters:
    """The parameters of a method without ``self`` and without those of ``left_out``.

    Args:
        function: The method as it was defined.
        left_out: Names of keyword-only parameters that callers do not pass.
    """

    def __init__(self, function: Callable[..., Any], left_out: tuple[str, ...] = ()) -> None:
        me, *listed = inspect.signature(function).parameters.values()
        self._me = me
        self.listed = [parameter for parameter in listed if parameter.name not in left_out]
        self.defaults = {
            f"_b_default_{p.name}": p.default for p in self.listed if p.default is not p.empty
        }

    def declaration(self, first: str = "") -> str:
        """Return the parameter list of a ``def``, with ``first`` as a positional-only parameter."""
        parts = [first] if first else []
        only_positional = bool(first)
        starred = False
        for p in self.listed:
            if only_positional and p.kind is not _KIND.POSITIONAL_ONLY:
                parts.append("/")
                only_positional = False
            if p.kind is _KIND.POSITIONAL_ONLY:
                only_positional = True
            if p.kind is _KIND.KEYWORD_ONLY and not starred:
                parts.append("*")
            starred = starred or p.kind in (_KIND.VAR_POSITIONAL, _KIND.KEYWORD_ONLY)
            parts.append(self._declare(p))
        return ", ".join([*parts, "/"] if only_positional else parts)

    def _declare(self, p: inspect.Parameter) -> str:
        star = (
            "*" if p.kind is _KIND.VAR_POSITIONAL else "**" if p.kind is _KIND.VAR_KEYWORD else ""
        )
        default = "" if p.default is p.empty else f"=_b_default_{p.name}"
        return f"{star}{p.name}{default}"

    def guard(self) -> str:
        """Return a statement that raises `TypeError` if ``self`` is passed as a keyword."""
        extra = [p.name for p in self.listed if p.kind is _KIND.VAR_KEYWORD]
        if not extra or self._me.kind is _KIND.POSITIONAL_ONLY:
            return "pass"
        error = f"got multiple values for argument {self._me.name!r}"
        return f"if {self._me.name!r} in {extra[0]}: raise TypeError({error!r})"

    def names(self) -> str:
        """Return the names as further arguments of a call: ``, a, b``."""
        return "".join(f", {p.name}" for p in self.listed)

    def passed(self) -> str:
        """Return the arguments as they are passed on to the method: ``, a, *rest, key=key``."""
        return "".join(f", {self._pass(p)}" for p in self.listed)

    def _pass(self, p: inspect.Parameter) -> str:
        match p.kind:
            case _KIND.VAR_POSITIONAL:
                return f"*{p.name}"
            case _KIND.VAR_KEYWORD:
                return f"**{p.name}"
            case _KIND.KEYWORD_ONLY:
                return f"{p.name}={p.name}"
        return p.name

    def positional(self) -> str:
        """Return the tuple of the positional arguments as source text."""
        plain = (_KIND.POSITIONAL_ONLY, _KIND.POSITIONAL_OR_KEYWORD)
        parts = [p.name for p in self.listed if p.kind in plain]
        parts += [f"*{p.name}" for p in self.listed if p.kind is _KIND.VAR_POSITIONAL]
        return f"({', '.join(parts)},)" if parts else "()"

    def keywords(self) -> str:
        """Return the dict of the keyword arguments, or ``None``, as source text."""
        parts = [f"{p.name!r}: {p.name}" for p in self.listed if p.kind is _KIND.KEYWORD_ONLY]
        parts += [f"**{p.name}" for p in self.listed if p.kind is _KIND.VAR_KEYWORD]
        return "{" + ", ".join(parts) + "}" if parts else "None"


def compiled(source: str, name: str, namespace: dict[str, Any], like: Callable[..., Any]) -> Any:
    """Compile ``source``, which defines ``name``, and copy the metadata of ``like`` to it.

    The frames of the code belong to this module, as their ``__name__`` says.
    """
    namespace["__name__"] = __name__
    # Safe: the only text in the source from outside are parameter names of an existing function.
    exec(compile(source, f"<beamish {like.__qualname__}>", "exec"), namespace)  # noqa: S102
    return copy_metadata(namespace[name], like)


def copy_metadata(function: Any, like: Callable[..., Any]) -> Any:
    """Copy the name, qualified name, module and docstring of ``like`` to ``function``."""
    function.__name__ = like.__name__
    function.__qualname__ = like.__qualname__
    function.__module__ = like.__module__
    function.__doc__ = like.__doc__
    return function


def has_parameter(function: Callable[..., Any], name: str) -> bool:
    """Return whether ``function`` has a parameter called ``name``."""
    return name in inspect.signature(function).parameters


def check_handoff(cls: type) -> None:
    """Raise `TypeError` if the state that ``handoff`` returns could not reach the next ``init``."""
    if inspect.iscoroutinefunction(cls.handoff):  # type: ignore[attr-defined] # a GenServer
        raise TypeError(
            f"{cls.__qualname__}.handoff must be a plain def; await in `async def terminate`, "
            "which runs before it"
        )
    if not has_parameter(cls.init, "handoff"):  # type: ignore[attr-defined]
        raise TypeError(
            f"{cls.__qualname__}.handoff hands state over, which its init does not take; define "
            "`def init(self, *, handoff: bytes | None = None)`"
        )


def check_init_parameters(cls: type) -> None:
    """Raise `TypeError` if ``__init__`` has a parameter of ``start_link``, or is async."""
    if cls.__init__ is object.__init__:  # type: ignore[misc]
        return
    parameters = inspect.signature(cls.__init__).parameters  # type: ignore[misc]
    taken = [name for name in _RESERVED if name in parameters]
    if taken:
        raise TypeError(
            f"{cls.__qualname__}.__init__ must not have a parameter called {taken[0]!r}: "
            f"start_link and child_spec have a parameter of that name; rename it"
        )
    if inspect.iscoroutinefunction(cls.__init__):  # type: ignore[misc]
        raise TypeError(
            f"{cls.__qualname__}.__init__ must be a plain def; await in `async def init` instead"
        )


def checker(cls: type) -> Callable[..., None]:
    """Return a function that only checks its arguments against ``cls.__init__``.

    It raises the `TypeError` that creating an instance would raise.
    """
    init = cls.__init__  # type: ignore[misc]
    if init is object.__init__:

        def check() -> None: ...

        check.__qualname__ = cls.__qualname__
        return check
    return _checker(Parameters(init), init)


def checker_of(method: Any) -> Callable[..., None]:
    """Return a function that only checks its arguments against a class method without ``name``."""
    return _checker(Parameters(method.__func__, left_out=("name",)), method.__func__)


def _checker(parameters: Parameters, like: Callable[..., Any]) -> Callable[..., None]:
    source = f"def check({parameters.declaration()}): pass"
    checked: Callable[..., None] = compiled(source, "check", dict(parameters.defaults), like)
    return checked

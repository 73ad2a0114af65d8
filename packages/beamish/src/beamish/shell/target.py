"""Load the ``module:Application`` of a command line.

When not to use it: in a program; import the application.
"""

import contextlib
import importlib
import inspect
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from beamish.application import Application

_EXPECTED = "expected module:Application, such as shop.main:Shop"

# Files of code that calls an application: beamish, importlib and contextlib.
_FOREIGN = (
    str(Path(__file__).parent.parent),
    "<frozen importlib",
    importlib.__file__,
    contextlib.__file__,
)


class TargetError(Exception):
    """``module:Application`` does not name an application; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """An application and its module."""

    module: ModuleType
    application: Application


def load(text: str) -> Target:
    """Load an application.

    Args:
        text: ``module:name``. The name is an `Application` class without arguments, an instance,
            or a function that returns an application.

    Raises:
        TargetError: ``text`` does not name an application. An exception that the module raised is
            the ``__cause__``.
    """
    module_name, colon, name = text.partition(":")
    if not (colon and module_name and name):
        raise TargetError(f"{_EXPECTED}; got {text!r}{_suggestion(module_name, colon)}")
    module = _module(module_name)
    return Target(module, _application(text, _attribute(module, name)))


def _suggestion(module_name: str, colon: str) -> str:
    """Return a suggestion for ``shop.Shop``, where the colon is missing."""
    head, dot, tail = module_name.rpartition(".")
    return f"; did you mean {head}:{tail}?" if not colon and dot and tail[:1].isupper() else ""


def _module(name: str) -> ModuleType:
    if name.endswith(".py") or "/" in name:
        dotted = name.removesuffix(".py").removeprefix("./").replace("/", ".")
        raise TargetError(f"{_EXPECTED}; {name!r} is a file, its module is {dotted}")
    if not all(part.isidentifier() for part in name.split(".")):
        raise TargetError(f"{_EXPECTED}; {name!r} is not a module name")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise TargetError(
                f"no module named {error.name!r}; run this in the folder that contains it, or add "
                "that folder to PYTHONPATH"
            ) from None
        raise TargetError(f"importing {name!r} failed: {error!r}") from error
    except (Exception, SystemExit) as error:  # from the code of the module
        raise TargetError(f"importing {name!r} failed: {error!r}") from error


def _attribute(module: ModuleType, name: str) -> Any:
    try:
        return getattr(module, name)
    except AttributeError:
        raise TargetError(
            f"module {module.__name__!r} has no {name!r}; {_applications_of(module)}"
        ) from None


def _applications_of(module: ModuleType) -> str:
    found = [
        f"{module.__name__}:{name}"
        for name, value in vars(module).items()
        if _is_application(value) and value is not Application
    ]
    if not found:
        return "it defines no Application"
    return f"its applications: {', '.join(found)}"


def _is_application(value: Any) -> bool:
    if isinstance(value, type):
        return issubclass(value, Application)
    return isinstance(value, Application)


def _application(text: str, value: Any) -> Application:
    if isinstance(value, Application):
        return value
    is_class = isinstance(value, type)
    if (is_class and not _is_application(value)) or not callable(value):
        raise TargetError(
            f"{text} must be an Application (a class, an instance, or a function that returns "
            f"one); got {value!r}"
        )
    _check_no_arguments(text, value)
    try:
        made = value()
    except Exception as error:  # from the code of the application
        raise TargetError(f"{text}() failed: {error!r}") from error
    if not isinstance(made, Application):
        if inspect.iscoroutine(made):
            made.close()
        raise TargetError(f"{text}() must return an Application; it returned {made!r}")
    return made


def _check_no_arguments(text: str, make: Any) -> None:
    try:
        inspect.signature(make).bind()
    except TypeError as error:
        raise TargetError(
            f"{text} needs arguments ({error}); name an instance, or a function without arguments "
            "that returns the application"
        ) from None


def own_traceback(error: BaseException) -> str:
    """Return the traceback from the application's code on; empty if raised outside of it."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(_FOREIGN):
        frames = frames.tb_next
    if frames is None and not isinstance(error, SyntaxError):
        return ""
    return "".join(traceback.format_exception(type(error), error, frames))

"""What stands in ``module:Application`` on a command line, found and checked.

When not to use it: in a program, which imports its application.
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

# Who calls the code of an application: beamish, and what imports and enters it.
_FOREIGN = (
    str(Path(__file__).parent.parent),
    "<frozen importlib",
    importlib.__file__,
    contextlib.__file__,
)


class TargetError(Exception):
    """``module:Application`` leads to no application; the message says why, and the way out."""


@dataclass(frozen=True, slots=True)
class Target:
    """An application that was found, and the module it was found in."""

    module: ModuleType
    application: Application


def load(text: str) -> Target:
    """Find the application that ``text`` names.

    Args:
        text: ``module:name``; the name is that of an `Application` class that needs no arguments,
            of an instance, or of a function that makes one.

    Raises:
        TargetError: It names none. When the code of the module raised, that is the ``__cause__``.
    """
    module_name, colon, name = text.partition(":")
    if not (colon and module_name and name):
        raise TargetError(f"{_EXPECTED}; got {text!r}{_suggestion(module_name, colon)}")
    module = _module(module_name)
    return Target(module, _application(text, _attribute(module, name)))


def _suggestion(module_name: str, colon: str) -> str:
    """Guess what was meant: ``shop.Shop`` and ``shop/main.py:Shop`` are common slips."""
    head, dot, tail = module_name.rpartition(".")
    return f"; did you mean {head}:{tail}?" if not colon and dot and tail[:1].isupper() else ""


def _module(name: str) -> ModuleType:
    if name.endswith(".py") or "/" in name:
        dotted = name.removesuffix(".py").removeprefix("./").replace("/", ".")
        raise TargetError(f"{_EXPECTED}; {name!r} is a file, its module is {dotted}")
    if not all(part.isidentifier() for part in name.split(".")):
        raise TargetError(f"{_EXPECTED}; {name!r} is no name of a module")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise TargetError(
                f"there is no module {error.name!r}; run this in the folder that holds it, or put "
                "that folder into PYTHONPATH"
            ) from None
        raise TargetError(f"importing {name!r} failed: {error!r}") from error
    except (Exception, SystemExit) as error:  # whatever the code of the module does
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
        return "it has no Application at all"
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
            f"{text} must be an Application (a class, an instance, or a function that makes one); "
            f"got {value!r}"
        )
    _check_no_arguments(text, value)
    try:
        made = value()
    except Exception as error:  # whatever the code of the application does
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
            f"{text} needs arguments ({error}); name a function without arguments that makes the "
            "application, or an instance"
        ) from None


def own_traceback(error: BaseException) -> str:
    """Format an exception from the application's code on; empty if it was raised outside of it."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(_FOREIGN):
        frames = frames.tb_next
    if frames is None and not isinstance(error, SyntaxError):
        return ""
    return "".join(traceback.format_exception(type(error), error, frames))

"""What members send to one another: pickled, with pids that stay valid on the other side.

All members trust one another and their network, as those of an Erlang cluster do: a pickle can run
any code.
"""

import io
import pickle
from typing import Any

from beamish._server.requests import From
from beamish.cluster._node import members
from beamish.cluster._node.pids import restore
from beamish.errors import ExitError
from beamish.pid import Pid

MAX_MESSAGE_BYTES = 16 * 2**20
_PROTOCOL = 5


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, Pid):
            return restore, (tuple(members.current().identity(value)),)
        if isinstance(value, From):
            raise TypeError(f"{value!r} can reply only in the program where the call arrived")
        return NotImplemented


def dump(value: Any) -> bytes:
    """Return the pickle of ``value``.

    Raises:
        TypeError: ``value`` cannot be pickled.
        ValueError: Its pickle has more than `MAX_MESSAGE_BYTES`.
    """
    file = io.BytesIO()
    try:
        _Pickler(file, _PROTOCOL).dump(value)
    except (pickle.PicklingError, AttributeError, TypeError, RecursionError) as error:
        raise TypeError(f"a message to another host must be picklable: {error}") from error
    if file.tell() > MAX_MESSAGE_BYTES:
        raise ValueError(
            f"a message to another host has at most {MAX_MESSAGE_BYTES} bytes; this one has "
            f"{file.tell()}. Store the data, and send where it is"
        )
    return file.getvalue()


def load(data: bytes) -> Any:
    """Return the value of a pickle that another member has made."""
    return pickle.loads(data)  # noqa: S301 - members trust one another, see above


def dump_outcome(kind: str, value: Any) -> bytes:
    """Return the pickle of the outcome of a request, whatever its value is.

    A value that cannot be sent becomes the exit reason that says so. An exception is unpickled
    once, because many can be pickled and not unpickled.
    """
    try:
        data = dump((kind, value))
        if isinstance(value, BaseException) or kind in ("exit", "down"):
            load(data)
    except Exception as error:  # from the value's own code, too
        return dump((("exit" if kind != "down" else kind), ExitError(f"cannot be sent: {error!r}")))
    return data

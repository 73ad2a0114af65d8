"""`Peer`: the signals to one connected node, and what must end when the connection is lost."""

import logging
from enum import IntEnum
from typing import Any, Protocol

from beamish._runtime.process import Watcher
from beamish.erlang._format.encoder import encode
from beamish.erlang._node.reasons import reason_term, unsendable_term
from beamish.erlang._node.remote import RemotePid
from beamish.erlang._node.table import NodeTable
from beamish.erlang.errors import TermError
from beamish.erlang.terms import Atom, ErlangRef, ImproperList, ProcessIdentity
from beamish.pid import Pid

_log = logging.getLogger("beamish")

MAX_UNSENT_BYTES = 64 * 2**20
"""Maximum size of what waits for a peer that does not read; then the connection is closed."""

_PASS_THROUGH = ord("p")
_UNUSED = Atom("")
_ALIAS = Atom("alias")


class Op(IntEnum):
    """Operations of control messages."""

    LINK = 1
    SEND = 2
    EXIT = 3
    REG_SEND = 6
    GROUP_LEADER = 7
    EXIT2 = 8
    MONITOR_P = 19
    DEMONITOR_P = 20
    MONITOR_P_EXIT = 21
    SEND_SENDER = 22
    SPAWN_REQUEST = 29
    SPAWN_REPLY = 31
    ALIAS_SEND = 33
    UNLINK_ID = 35
    UNLINK_ID_ACK = 36


class Writer(Protocol):
    """What sends frames."""

    def write_frames(self, *frames: bytearray) -> None:
        """Send frames, each behind its length."""

    def unsent(self) -> int:
        """Return the number of bytes that wait to be sent."""
        ...

    def abort(self, why: str) -> None:
        """Close the connection at once."""


class Peer:
    """One connected node.

    Args:
        name: Its name.
        table: The node that it is connected with.
        writer: Sends frames to it.
    """

    def __init__(self, name: str, table: NodeTable, writer: Writer) -> None:
        self.name = name
        self.table = table
        self._writer = writer
        self._open = True
        self.calls: dict[ErlangRef, Any] = {}
        self.watchers: dict[ErlangRef, tuple[Pid, Watcher]] = {}
        self._watch_refs: dict[tuple[Pid, Watcher], ErlangRef] = {}
        # Monitors that processes of the peer have on local ones.
        self.monitors: dict[ErlangRef, tuple[Pid, Watcher]] = {}
        self.links: dict[tuple[Pid, Pid], None] = {}  # local, remote
        self._unlinking: dict[tuple[Pid, Pid], int] = {}

    # -- Frames

    def _frame(self, control: tuple[Any, ...], *message: Any) -> bytearray:
        frame = encode(self.table, control, *message)
        frame.insert(0, _PASS_THROUGH)
        return frame

    def _write(self, *frames: bytearray) -> None:
        self._writer.write_frames(*frames)
        if self._writer.unsent() > MAX_UNSENT_BYTES:
            self._writer.abort(f"more than {MAX_UNSENT_BYTES} bytes wait for it; it does not read")

    def send(self, control: tuple[Any, ...], *message: Any) -> None:
        """Send a control message, and the message that belongs to it.

        Raises:
            TermError: It cannot be encoded; nothing was sent.
        """
        if self._open:
            self._write(self._frame(control, *message))

    def send_reason(self, *control: Any) -> None:
        """Send a control message that ends with an exit reason, of any type."""
        *fields, reason = control
        try:
            self.send((*fields, reason_term(reason)))
        except TermError:
            self.send((*fields, unsendable_term(reason)))

    # -- Messages and calls

    def deliver(self, target: Pid, message: Any) -> None:
        """Send a message to a pid or name of the peer."""
        self.send(self._send_control(target, self.table.me), message)

    def _send_control(self, target: Pid, sender: Pid) -> tuple[Any, ...]:
        name = _name_of(target)
        if name is None:
            return (Op.SEND, _UNUSED, target)
        return (Op.REG_SEND, sender, _UNUSED, name)

    def call(self, target: Pid, call: Any, request: Any) -> None:
        """Send a call and monitor the called process, so that its end ends the call.

        The reference is an alias: a late reply finds nothing, instead of the caller's mailbox.
        """
        ref = self.table.new_ref()
        sender = call.sender or self.table.me
        message = (Atom("$gen_call"), (sender, ImproperList((_ALIAS,), ref)), request)
        frames = (
            self._frame((Op.MONITOR_P, sender, _name_of(target) or target, ref)),
            self._frame(self._send_control(target, sender), message),
        )
        call.ref, call.sender = ref, sender
        self.calls[ref] = call
        self._write(*frames)

    def end_call(self, target: Pid, call: Any) -> None:
        """Forget a call that has its reply, or whose caller no longer waits."""
        if self.calls.pop(call.ref, None) is not None:
            self.send((Op.DEMONITOR_P, call.sender, _name_of(target) or target, call.ref))

    def stop(self, target: Pid, reason: Any) -> None:
        """Ask a server to terminate, as ``sys:terminate`` does."""
        tag = ImproperList((_ALIAS,), self.table.new_ref())  # the reply is dropped
        request = (Atom("terminate"), reason_term(reason))
        self.deliver(target, (Atom("system"), (self.table.me, tag), request))

    # -- Monitors

    def watch(self, target: Pid, watcher: Watcher) -> None:
        """Monitor a process of the peer for ``watcher``."""
        ref = self.table.new_ref()
        self.watchers[ref] = (target, watcher)
        self._watch_refs[target, watcher] = ref
        self.send((Op.MONITOR_P, self.table.me, _name_of(target) or target, ref))

    def unwatch(self, target: Pid, watcher: Watcher) -> None:
        """Remove the monitor of ``watcher``."""
        ref = self._watch_refs.pop((target, watcher), None)
        if ref is not None:
            del self.watchers[ref]
            self.send((Op.DEMONITOR_P, self.table.me, _name_of(target) or target, ref))

    def process_ended(self, ref: ErlangRef, reason: Any) -> None:
        """Handle the end of a process of the peer that a call or a watcher monitors."""
        call = self.calls.pop(ref, None)
        if call is not None:
            call.ended(reason)
        elif ref in self.watchers:
            target, watcher = self.watchers.pop(ref)
            del self._watch_refs[target, watcher]
            watcher.died(target, reason)

    # -- Links and exit signals

    def link(self, local: Pid, remote: Pid) -> None:
        """Link a local process with one of the peer."""
        self._unlinking.pop((local, remote), None)
        if (local, remote) not in self.links:
            self.links[local, remote] = None
            self.send((Op.LINK, local, remote))

    def linked(self, remote: Pid, local: Pid) -> None:
        """Handle a link that a process of the peer has made with a local one."""
        # The peer will handle our unlink after its link, and so end without a link.
        if (local, remote) not in self._unlinking:
            self.links[local, remote] = None
            local._process.add_link(remote)

    def unlink(self, local: Pid, remote: Pid) -> None:
        """Remove a link."""
        if self.links.pop((local, remote), self) is None:
            number = self._unlinking[local, remote] = self.table.new_number()
            self.send((Op.UNLINK_ID, number, local, remote))

    def unlinked(self, number: int, local: Pid, remote: Pid) -> None:
        """Handle the acknowledgement of an unlink."""
        if self._unlinking.get((local, remote)) == number:
            del self._unlinking[local, remote]

    def exit(self, sender: Pid | None, target: Pid, reason: Any) -> None:
        """Send an exit signal."""
        self.send_reason(Op.EXIT2, sender or self.table.me, target, reason)

    def linked_exit(self, local: Pid, remote: Pid, reason: Any) -> None:
        """Send the exit signal of a local process that has ended, if it was linked."""
        if self.links.pop((local, remote), self) is None:
            self.send_reason(Op.EXIT, local, remote, reason)

    # -- The end

    def close(self) -> None:
        """End everything that depends on the connection, with the reason ``"noconnection"``."""
        if not self._open:
            return
        self._open = False
        for pid, watcher in self.monitors.values():
            if pid._process is not None:
                pid._process.unwatch(watcher)
        self.monitors.clear()
        for ref in [*self.calls, *self.watchers]:
            self.process_ended(ref, "noconnection")
        links, self.links = self.links, {}
        for local, remote in links:
            if local._process is not None:
                local._process.linked_exit(remote, "noconnection", False)
        self.table.runtime.deliver_exit_signals()


def _name_of(target: Pid) -> Atom | None:
    """Return the name if ``target`` is a name of the peer, ``None`` if it is a pid."""
    if not isinstance(target, RemotePid) or isinstance(target.identity, ProcessIdentity):
        return None
    return target.identity[0]

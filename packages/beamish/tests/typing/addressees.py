"""What stands behind a pid: a process of this program, or one of another node."""

from beamish._runtime.addressee import Addressee
from beamish._runtime.process import Process
from beamish._server.process import ServerProcess
from beamish.erlang._node.remote import RemoteProcess


def local(process: Process) -> Addressee:
    return process


def server(process: ServerProcess) -> Addressee:
    return process


def remote(process: RemoteProcess) -> Addressee:
    return process

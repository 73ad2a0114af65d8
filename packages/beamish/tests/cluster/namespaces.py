"""Machines that are network namespaces on one bridge, each with nodes of Ray on it.

A program that `unshare` runs with a network of its own calls `create`, runs PostgreSQL at `STORE`,
and then continues in the namespace of one machine (`continue_on`). The namespaces end with it.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

LOSSY = Path(__file__).parents[4] / "tools" / "lossy"
UNSHARE = ("unshare", "--net", "--mount", "--")
STORE = "10.77.0.254"
MACHINES = {"program": "10.77.0.1", "head": "10.77.0.2", "one": "10.77.0.3", "two": "10.77.0.4"}
_PORT = 6400
# Ray's own defaults need 15 s to notice a lost node.
_DETECTION = (
    '{"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, '
    '"health_check_timeout_ms": 2000, "health_check_failure_threshold": 4}'
)


def _run(command: str) -> None:
    subprocess.run(command.split(), check=True)


# Packets overtake each other, and one of a hundred is lost.
_FAULTS = ("--delay", "0.002", "0.03", "--loss", "0.01")


def create(lossy: str = "") -> None:
    """Create the bridge and the namespaces.

    Args:
        lossy: The machine whose network loses, delays and reorders packets, if there is one.
    """
    _run("mount -t tmpfs none /run")  # of this mount namespace: `ip netns` writes there
    _run("ip link set lo up")
    _run("ip link add bridge type bridge")
    _run(f"ip addr add {STORE}/24 dev bridge")
    _run("ip link set bridge up")
    for name, address in MACHINES.items():
        _run(f"ip netns add {name}")
        if name == lossy:
            _join_by_lossy_link(name)
        else:
            _run(f"ip link add v-{name} type veth peer name eth0 netns {name}")
        _run(f"ip link set v-{name} master bridge up")
        _run(f"ip -n {name} link set lo up")
        _run(f"ip -n {name} addr add {address}/24 dev eth0")
        _run(f"ip -n {name} link set eth0 up")


def _join_by_lossy_link(name: str) -> None:
    command = [sys.executable, LOSSY, *_FAULTS, f":v-{name}", f"{name}:eth0"]
    link = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert link.stdout is not None
    assert link.stdout.readline() == b"ready\n"


def continue_on(name: str, *arguments: str) -> int:
    """Run this program again on a machine; return its exit status."""
    # Ray can listen on all addresses: they are those of the namespace.
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"}
    command = [*_on(name), sys.executable, sys.argv[0], *arguments]
    return subprocess.run(command, env=environment).returncode


def _on(name: str) -> tuple[str, ...]:
    return ("ip", "netns", "exec", name)


def cut(first: str, second: str) -> None:
    """Drop all packets between two machines, or a machine and the store, without an answer."""
    _routes("add", first, second)


def heal(first: str, second: str) -> None:
    """Undo `cut`."""
    _routes("del", first, second)


def _routes(action: str, first: str, second: str) -> None:
    for source, target in ((first, second), (second, first)):
        if source == "store":
            continue  # its answers are lost too: the machine drops what it sends to the store
        address = STORE if target == "store" else MACHINES[target]
        _run(f"ip -n {source} route {action} blackhole {address}/32")


class Ray:
    """The nodes of Ray on the machines.

    Args:
        folder: The folder for their logs.
        redis: The address of a Redis server that keeps the state of the head, if there is one.
    """

    def __init__(self, folder: Path, redis: str = "") -> None:
        self.address: str = f"{MACHINES['head']}:{_PORT}"
        self._folder = folder
        self._environment = dict(os.environ)
        if redis:
            self._environment["RAY_REDIS_ADDRESS"] = redis
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start_head(self) -> None:
        """Start the head, for the first time or again."""
        # With this file and the processes of the other machines, which it sees because they are
        # namespaces only, Ray takes the head that was killed for one that runs.
        (self._folder / "ray" / "ray_current_cluster").unlink(missing_ok=True)
        self._start("head", "--head", "--port", str(_PORT), "--system-config", _DETECTION)

    def start_node(self, name: str, *, hosts: bool = True) -> None:
        """Start a node, on which hosts of a cluster can run."""
        resources = '{"beamish_host": 1}' if hosts else "{}"
        self._start(name, "--address", self.address, "--resources", resources)

    def _start(self, name: str, *options: str) -> None:
        ray = Path(sys.executable).parent / "ray"
        common: list[Any] = [
            *("--node-ip-address", MACHINES[name]),
            *("--num-cpus", "0"),
            *("--object-store-memory", str(80 * 2**20)),
            *("--include-dashboard", "false") * ("--head" in options),
            *("--disable-usage-stats", "--block"),
        ]
        with (self._folder / f"ray-{name}").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [*_on(name), ray, "start", *options, *common],
                env=self._environment,
                stdout=log,
                stderr=log,
            )

    def gave_up(self, name: str) -> bool:
        """Return whether a node has ended; on a busy machine, Ray's 30 s for a start are over."""
        return self._processes[name].poll() is not None

    def logs(self) -> str:
        """Return the ends of the logs."""
        found = [self._folder / f"ray-{name}" for name in self._processes]
        return "\n".join(f"{path.name}: {path.read_text()[-1500:]}" for path in found)

    def pid(self, name: str) -> int:
        """Return the id of the process that has started all others of a node."""
        return self._processes[name].pid

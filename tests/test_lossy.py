"""The tool that joins network namespaces by a bad link: what it does to packets."""

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

LOSSY = Path(__file__).parent.parent / "tools" / "lossy"
COUNT = 200
# In a network and a /run of its own, which end with it: `ip netns` writes to /run.
SETUP = """
mount -t tmpfs none /run
ip netns add far
exec "$@"
"""
SENDER = """
import socket, time
far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
far.connect(("10.9.0.1", 4000))
number = 0
while True:
    number += 1
    far.send(b"%d" % number)
    time.sleep(0.005)
"""
# The sender knows the receiver's address on the link. Otherwise, its kernel holds the first packets
# back until ARP is answered, which takes seconds if the link loses ARP, and a packet that is sent
# while it sends those overtakes them, before the link.
RECEIVER = f"""
import socket, subprocess, sys
options = sys.argv[1:]
link = subprocess.Popen(
    [sys.executable, {str(LOSSY)!r}, *options, ":near0", "far:far0"], stdout=subprocess.PIPE
)
assert link.stdout.readline() == b"ready\\n"
for command in (
    "ip link set lo up",
    "ip address add 10.9.0.1/30 dev near0",
    "ip link set near0 address 02:00:00:00:00:01",
    "ip link set near0 up",
    "ip -n far address add 10.9.0.2/30 dev far0",
    "ip -n far link set far0 up",
    "ip -n far neighbour add 10.9.0.1 lladdr 02:00:00:00:00:01 dev far0 nud permanent",
):
    subprocess.run(command.split(), check=True)
far = subprocess.Popen(["ip", "netns", "exec", "far", sys.executable, "-c", {SENDER!r}])
near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
near.setsockopt(socket.SOL_SOCKET, 33, 2**22)  # SO_RCVBUFFORCE: nothing is lost while we wait
near.bind(("10.9.0.1", 4000))
near.settimeout(50)
for _ in range({COUNT}):
    print(near.recv(100).decode())
far.kill()
link.kill()
"""


@pytest.fixture(autouse=True)
def root() -> None:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can create network namespaces")
    if not (shutil.which("ip") and shutil.which("unshare") and Path("/dev/net/tun").exists()):
        pytest.skip("no ip, unshare or /dev/net/tun: apt-get install iproute2")


def received(*options: str) -> list[int]:
    """Return the numbers of the first packets that pass, of those sent in order from 1."""
    command = ["unshare", "--net", "--mount", "sh", "-ec", SETUP, "sh"]
    ran = subprocess.run(
        [*command, sys.executable, "-c", RECEIVER, *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return [int(line) for line in ran.stdout.split()]


def test_link_without_faults_passes_packets_in_their_order() -> None:
    numbers = received()

    assert numbers == list(range(numbers[0], numbers[0] + COUNT))


def test_link_loses_packets() -> None:
    numbers = received("--loss", "0.3")

    assert numbers == sorted(numbers)
    assert numbers[-1] - numbers[0] >= COUNT * 1.1


def test_packets_that_wait_for_different_times_overtake_each_other() -> None:
    numbers = received("--delay", "0", "0.05")

    assert len(set(numbers)) == COUNT
    assert any(after < before for before, after in itertools.pairwise(numbers))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--loss", "2", ":a", ":b"], "--loss must be from 0 to 1, got 2.0"),
        (["--delay", "2", "1", ":a", ":b"], "--delay must be two times that grow"),
        (["near0", ":b"], "must be NAMESPACE:DEVICE or :DEVICE, got 'near0'"),
        (["nowhere:a", ":b"], "cannot create 'nowhere:a': "),
    ],
)
def test_wrong_options_are_refused(options: list[str], message: str) -> None:
    ran = subprocess.run(
        [sys.executable, LOSSY, *options], capture_output=True, text=True, check=False
    )

    assert ran.returncode != 0
    assert message in ran.stderr

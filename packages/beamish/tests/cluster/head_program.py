"""A program that kills the head of Ray under a cluster, and prints what it has checked.

``unshare --net --mount -- python head_program.py redis|alone FOLDER``. The last line of its output
is ``ok CASE``. With Redis, another head takes over; alone, the whole of Ray must be started again.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import namespaces
import postgres
from partition_program import PATIENCE_SECONDS, SHARDS, up
from ray_program import send, tree
from servers import Account, Bank, answer

from beamish.cluster import Cluster

NAMES = [f"name-{number}" for number in range(100)]
AGAIN = "alone, started again"
_REDIS = f"{namespaces.STORE}:6379"


def _kill(machines: namespaces.Ray, *names: str) -> None:
    for name in names:
        send(tree(machines.pid(name)), signal.SIGKILL)


async def _all_answer() -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*(answer(lambda n=n: Account.add(Account.via(n))) for n in NAMES))


async def _call_for(seconds: float) -> None:
    """Call all names, which must answer without being tried again."""
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        for name in NAMES:
            await Account.add.timeout(PATIENCE_SECONDS)(Account.via(name))
        await asyncio.sleep(0.5)


async def main(case: str, dsn: str, folder: Path) -> None:
    machines = namespaces.Ray(folder, _REDIS if case == "redis" else "")
    try:
        await up(machines)
        async with Cluster.join("test", store=dsn, shards=SHARDS), Bank():
            if case == AGAIN:
                await _all_answer()
            else:
                await asyncio.gather(*(Account.open(name) for name in NAMES))
                _kill(machines, "head")
                await _call_for(5.0)
            if case == "redis":
                machines.start_head()
                await _replace_a_host()
            if case == "alone":  # a program of the old Ray cannot join the next one
                _kill(machines, "program", "one", "two")
                os._exit(0)
    except BaseException:
        print(machines.logs())
        raise
    print(f"ok {case}", flush=True)


async def _replace_a_host() -> None:
    """Kill a host; the new head replaces it."""
    name = NAMES[0]
    epoch = (await Account.where(Account.via(name)))[2]
    os.kill(await Account.os_pid(Account.via(name)), signal.SIGKILL)
    await _all_answer()
    assert (await Account.where(Account.via(name)))[2] > epoch


if __name__ == "__main__":
    if len(sys.argv) == 3:
        namespaces.create()
        redis = shutil.which("redis-server")
        if sys.argv[1] == "redis" and redis is not None:
            options = ["--bind", namespaces.STORE, "--protected-mode", "no", "--save", ""]
            # Otherwise its title replaces the environment by which the test finds and ends it.
            options += ["--set-proc-title", "no"]
            subprocess.Popen([redis, *options], cwd=sys.argv[2], stdout=subprocess.DEVNULL)
        cases = ["alone", AGAIN] if sys.argv[1] == "alone" else sys.argv[1:2]
        with postgres.running(namespaces.STORE) as server:
            for case in cases:
                if namespaces.continue_on("program", case, server.dsn, sys.argv[2]) != 0:
                    sys.exit(1)
        sys.exit()
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
    sys.stdout.flush()
    os._exit(0)

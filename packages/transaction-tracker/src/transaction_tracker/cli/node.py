"""``txtrack node``: the development node as a program."""

import asyncio
import errno
import math
import signal
import time
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console

from transaction_tracker.cli.exits import BadInputError, CommandError
from transaction_tracker.node import Chain, DevelopmentNode

SHOWN_ACCOUNTS = 3


async def node(
    *,
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 8545,
    chain_id: Annotated[int, Parameter(validator=Number(gte=1, lt=2**63))] = 31337,
    block_time: float = 2.0,
) -> None:
    """Run the development node: a small chain behind JSON-RPC.

    It listens on 127.0.0.1 and lives in memory: when it ends, by Ctrl-C or SIGTERM, the chain is
    gone. Accounts are open to all, so `eth_sendTransaction` needs no signature; `dev_replace`,
    `dev_drop`, `dev_revert`, `dev_reorg` and `dev_rollback` do to transactions what happens to them
    in the wild.

    Exit status: 0 when told to stop, 1 if it cannot listen (the port is in use), 2 for bad input.

    Args:
        port: Port to listen on; 0 takes a free one and prints it.
        chain_id: Chain id that it answers with.
        block_time: Seconds from block to block; 0 mines only when `evm_mine` is called.
    """
    if not (math.isfinite(block_time) and block_time >= 0):
        raise BadInputError(f"--block-time must be 0 or more seconds, got {block_time}")
    interval = max(1, round(block_time))
    chain = Chain(chain_id=chain_id, genesis_time=int(time.time()), interval=interval)
    try:
        async with DevelopmentNode(
            port=port, chain=chain, block_time=block_time or None
        ) as running:
            _introduce(running, block_time)
            await _told_to_stop()
    except OSError as error:
        raise CommandError(_cannot_listen(port, error)) from error


def _introduce(running: DevelopmentNode, block_time: float) -> None:
    chain = running.chain
    mining = f"a block every {block_time:g} s" if block_time else "a block at each evm_mine"
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]{running.url}[/]  chain {chain.chain_id}, {mining}. Ctrl-C ends it.")
    for account in chain.accounts[:SHOWN_ACCOUNTS]:
        console.print(f"  account {account}")
    request = (
        '{"jsonrpc":"2.0","id":1,"method":"eth_sendTransaction",'
        f'"params":[{{"from":"{chain.accounts[0]}","to":"{chain.accounts[1]}","value":"0x1"}}]}}'
    )
    console.print(f"Send a transaction:\n  curl -s {running.url} -d '{request}'", markup=False)


async def _told_to_stop() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


def _cannot_listen(port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use: choose another with --port, or --port 0 for any free one"
    return f"cannot listen on port {port}: {error.strerror or error}"

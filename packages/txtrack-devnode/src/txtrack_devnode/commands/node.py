"""``txtrack node``: the development node as a program."""

import asyncio
import errno
import signal
import time
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console

from transaction_tracker.cli.exits import BadInputError, CommandError
from transaction_tracker.cli.flags import seconds
from txtrack_devnode.chain import Chain
from txtrack_devnode.faults import describe, parse
from txtrack_devnode.rules import SYSTEM_TRANSACTIONS, ChainRules, NullRoundAnswer
from txtrack_devnode.server import DevelopmentNode

SHOWN_ACCOUNTS = 3


async def node(
    *,
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 8545,
    chain_id: Annotated[int, Parameter(validator=Number(gte=1, lt=2**63))] = 31337,
    block_time: str = "2s",
    fault: Annotated[Sequence[str], Parameter(negative=(), show_default=False)] = (),
    seed: int = 0,
    account_nonces: bool = True,
    null_rounds: Annotated[int, Parameter(validator=Number(gte=0))] = 0,
    null_round_answer: NullRoundAnswer = "null",
    system_transactions: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Run the development node: a small chain behind JSON-RPC, over HTTP and WebSocket.

    It listens on 127.0.0.1 and lives in memory: when it ends, by Ctrl-C or SIGTERM, the chain is
    gone. Accounts are open to all, so `eth_sendTransaction` needs no signature; `dev_replace`,
    `dev_drop`, `dev_revert`, `dev_reorg` and `dev_rollback` do to transactions what happens to them
    in the wild. `dev_authorize` uses up a nonce of one account by a transaction of another
    (EIP-7702), `dev_skip` leaves the next numbers without a block, and `dev_mine_fork` mines on the
    branch of the fault `forked`.

    It misbehaves on demand, from the start by --fault, later by `dev_inject` (the same text),
    `dev_clear`, `dev_faults` and `dev_injected`, which no fault touches. The faults, with what
    each can be told:

    - stale-null: null for what the node has.
    - lagging-receipts: receipts are null until blocks=1 more are on top of theirs.
    - lagging-head: all answers are those of a node blocks=1 behind.
    - frozen-head: the node hears of no block after block at=HASH, or after the head of now.
    - silent-heads: subscriptions get nothing.
    - forked: the node is on a branch that begins depth=1 blocks below the head of now and has
      length=1 blocks of its own, or is only shorter with length=0; with grows=true, it gets a
      block whenever the chain does. fork=N is a branch that exists: `dev_faults` names it.
    - reset-chain: the node began again with another block 0, and has length=1 blocks; it takes
      grows and fork, too.
    - load-balanced: behind the address are nodes up to blocks=1 behind, and each answers some
      requests; with split=true, some calls of a batch.
    - indexing: "transaction indexing is in progress".
    - rate-limit: status 429, with retry_after=SECONDS, and as_date=true for the form of a date.
    - server-failure: status=503, or another from 500 to 599.
    - slow-answer: the answer comes seconds=1 late.
    - cut-off: the connection closes after a share=0.5 of the body.
    - hang: no answer until the fault is cleared.
    - death: the port closes, and opens again after seconds=1.
    - wrong-chain-id: the node says that it is on chain chain_id=1.
    - method-not-found: the node does not have the method.
    - call-error: a call gets the error code=-32603 with a message=TEXT.
    - refused-batch: one error for a whole batch of more than limit=0 calls, with code=-32600,
      message=TEXT and http_status=200.
    - not-json: a page of HTML.
    - wrong-id: an answer carries an id that nobody asked with.
    - duplicated-answer: a call of a batch is answered twice.
    - foreign-receipt: a receipt says that it is of the block before its own.
    - duplicated-transaction: a block has its first transaction twice, with the same index, or
      with renumbered=true with another one.
    - odd-field: in each record=transaction (or receipt, or block), field=nonce reads value=null,
      or another text; with value=absent there is no such field.
    - unprotected: transactions are legacy ones with chain id 0x0.
    - listed-twice: a block lists the transactions of the block before it, too.
    - odd-pending: a pending transaction has zeros for its block, or with shape=empty "0x".
    - missing-receipt: the node has the transaction and never its receipt.
    - no-status: a receipt has a root and no status, as before Byzantium.
    - flipped-status: a receipt says failed for success, and success for failed.
    - hashes-only: a block lists hashes although whole transactions were asked for.
    - wrong-parent: a block names a parent that does not exist.
    - pruned-blocks: the blocks=1 oldest blocks, from block 0 on, are gone.

    Those about transactions, receipts and parents are consistent, as real nodes are: they concern
    the part=1 of all, chosen by their hashes, or transaction=HASH alone.

    Each takes also p=1, how likely it strikes; times=N, after which it is used up;
    methods=eth_call+eth_chainId, the only methods that it concerns; about=HASH, the one
    transaction or block that it concerns.

    Exit status: 0 when told to stop, 1 if it cannot listen (the port is in use), 2 for bad input.

    Args:
        port: Port to listen on; 0 takes a free one and prints it.
        chain_id: Chain id that it answers with.
        block_time: Time from block to block, such as 500ms or 2s; 0 mines only when `evm_mine` is
            called.
        fault: A fault to switch on, such as `rate-limit:p=0.1,retry_after=2`; may be repeated.
        seed: Decides what faults with p strike: the same requests meet the same faults again.
        account_nonces: Whether accounts number their transactions. Otherwise each has nonce 0, as
            on Tron.
        null_rounds: Each multiple of this number has no block, as happens on Filecoin; 0 is none.
        null_round_answer: What the node answers there: null, an error, or the previous block.
        system_transactions: Let the chain put its own transactions, all with nonce 0, into each
            block, as the OP stack, Arbitrum, ZKsync and Polygon do.
    """
    pause = seconds("--block-time", block_time, or_none=True)
    interval = max(1, round(pause))
    rules = _rules(account_nonces, null_rounds, null_round_answer, system_transactions)
    chain = Chain(chain_id=chain_id, genesis_time=int(time.time()), interval=interval, rules=rules)
    development_node = DevelopmentNode(port=port, chain=chain, block_time=pause or None, seed=seed)
    _switch_on(development_node, fault)
    try:
        async with development_node as running:
            _introduce(running, pause)
            await _told_to_stop()
    except OSError as error:
        raise CommandError(_cannot_listen(port, error)) from error


def _rules(
    account_nonces: bool, null_rounds: int, answer: NullRoundAnswer, system: bool
) -> ChainRules:
    try:
        return ChainRules(
            account_nonces=account_nonces,
            null_rounds=null_rounds,
            null_round_answer=answer,
            system=tuple(SYSTEM_TRANSACTIONS) if system else (),
        )
    except ValueError as error:
        raise BadInputError(f"--null-rounds: {error}") from error


def _switch_on(development_node: DevelopmentNode, faults: Sequence[str]) -> None:
    try:
        for text in faults:
            development_node.faults.inject(parse(text))
    except ValueError as error:
        raise BadInputError(f"--fault: {error}") from error


def _introduce(running: DevelopmentNode, block_time: float) -> None:
    chain = running.chain
    mining = f"a block every {block_time:g} s" if block_time else "a block at each evm_mine"
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]{running.url}[/]  chain {chain.chain_id}, {mining}. Ctrl-C ends it.")
    for account in chain.accounts[:SHOWN_ACCOUNTS]:
        console.print(f"  account {account}")
    for fault in running.faults.active.values():
        console.print(f"  fault {describe(fault)}", markup=False)
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

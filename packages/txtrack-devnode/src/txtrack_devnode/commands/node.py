"""``txtrack node``: run the development node."""

import errno
import time
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console

from transaction_tracker.cli.exits import BadInputError, CommandError
from transaction_tracker.cli.flags import seconds
from txtrack_devnode.chain import Chain
from txtrack_devnode.commands.signals import wait_for_signal
from txtrack_devnode.faults import describe, parse
from txtrack_devnode.rules import SYSTEM_TRANSACTIONS, ChainRules, NullRoundAnswer
from txtrack_devnode.server import DevelopmentNode

_SHOWN_ACCOUNTS = 3


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

    The node listens on 127.0.0.1 and keeps the chain in memory: it is gone when the node stops, by
    Ctrl-C or SIGTERM. `eth_sendTransaction` needs no signature. Methods of the node control the
    chain: `dev_replace`, `dev_drop` and `dev_revert` change transactions, `dev_reorg` and
    `dev_rollback` remove blocks, `dev_skip` leaves block numbers without a block, `dev_authorize`
    uses a nonce of one account in a transaction of another (EIP-7702), and `dev_mine_fork` mines on
    the branch of the fault `forked`.

    Faults make the node misbehave: from the start by --fault, later by `dev_inject` (with the same
    text). `dev_faults` lists the active faults, `dev_injected` lists when each was triggered, and
    `dev_clear` clears them. The faults and their options:

    - stale-null: null for a transaction, receipt or block that the node has.
    - lagging-receipts: receipts are null until their block is blocks=1 blocks below the head.
    - lagging-head: the node is blocks=1 behind.
    - frozen-head: the node gets no block after block at=HASH, or after the current head.
    - silent-heads: subscriptions get no notifications.
    - forked: the node is on a branch that starts depth=1 blocks below the current head and has
      length=1 blocks; with length=0 it is only shorter. With grows=true, the branch mines a block
      whenever the chain does. fork=N is an existing branch, as `dev_faults` lists it.
    - reset-chain: the node is on a chain with another block 0 and length=1 blocks; also with grows
      and fork.
    - load-balanced: the address is a load balancer over nodes up to blocks=1 behind; with
      split=true, also for the calls of one batch.
    - indexing: the error "transaction indexing is in progress".
    - rate-limit: status 429, with retry_after=SECONDS, and as_date=true for a date in the header.
    - server-failure: status=503, or another from 500 to 599.
    - slow-answer: the response is seconds=1 late.
    - cut-off: the connection closes after a share=0.5 of the body.
    - hang: no response until the fault is cleared.
    - death: the port closes and opens again after seconds=1.
    - wrong-chain-id: the node reports chain_id=1.
    - method-not-found: the node does not have the method.
    - call-error: a call gets the error code=-32603 with message=TEXT.
    - refused-batch: one error for a batch of more than limit=0 calls, with code=-32600,
      message=TEXT and http_status=200.
    - not-json: an HTML page.
    - wrong-id: a response has an id that no request has.
    - duplicated-answer: a call of a batch is answered twice.
    - foreign-receipt: a receipt names the block before its own.
    - duplicated-transaction: a block has its first transaction twice, with the same index, or
      with renumbered=true with another index.
    - odd-field: in each record=transaction (or receipt, or block), field=nonce has value=null, or
      another text; value=absent removes the field.
    - unprotected: transactions have the legacy type and chain id 0x0.
    - listed-twice: a block also lists the transactions of the block before it.
    - odd-pending: a pending transaction has zeros for its block, or with shape=empty "0x".
    - missing-receipt: the receipt of a mined transaction is missing.
    - no-status: a receipt has a root and no status, as before Byzantium.
    - flipped-status: a receipt has the opposite status.
    - hashes-only: a block lists hashes although full transactions were requested.
    - wrong-parent: a block has a parent hash that does not exist.
    - pruned-blocks: the blocks=1 oldest blocks are null.

    The faults of transactions, receipts and parents are consistent, as on real nodes: part=1 is the
    share that they apply to, selected by hash; transaction=HASH selects a single transaction.

    Every fault also has p=1, the probability that it is triggered; times=N, how many times it is
    triggered; methods=eth_call+eth_chainId, the only methods that it applies to; about=HASH, the
    only transaction or block that it applies to.

    Exit status: 0 after Ctrl-C or SIGTERM, 1 if it cannot listen (the port is in use), 2 for bad
    input.

    Args:
        port: Port to listen on; 0 chooses a free port and prints it.
        chain_id: Chain id of the node.
        block_time: Time between blocks, such as 500ms or 2s; 0 mines only when `evm_mine` is
            called.
        fault: A fault to inject, such as `rate-limit:p=0.1,retry_after=2`; may be repeated.
        seed: Seed of the faults with p: the same requests trigger the same faults again.
        account_nonces: Whether accounts number their transactions. Otherwise each transaction has
            nonce 0, as on Tron.
        null_rounds: Each multiple of this number has no block, as on Filecoin; 0 for none.
        null_round_answer: Answer for such a block number: null, an error, or the previous block.
        system_transactions: Start each block with transactions of the chain itself, all with nonce
            0, as the OP stack, Arbitrum, ZKsync and Polygon do.
    """
    pause = seconds("--block-time", block_time, or_none=True)
    interval = max(1, round(pause))
    rules = _rules(account_nonces, null_rounds, null_round_answer, system_transactions)
    chain = Chain(chain_id=chain_id, genesis_time=int(time.time()), interval=interval, rules=rules)
    development_node = DevelopmentNode(port=port, chain=chain, block_time=pause or None, seed=seed)
    _inject(development_node, fault)
    try:
        async with development_node as running:
            _print_introduction(running, pause)
            await wait_for_signal()
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


def _inject(development_node: DevelopmentNode, faults: Sequence[str]) -> None:
    try:
        for text in faults:
            development_node.faults.inject(parse(text))
    except ValueError as error:
        raise BadInputError(f"--fault: {error}") from error


def _print_introduction(running: DevelopmentNode, block_time: float) -> None:
    chain = running.chain
    mining = f"a block every {block_time:g} s" if block_time else "a block at each evm_mine"
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]{running.url}[/]  chain {chain.chain_id}, {mining}. Ctrl-C stops it.")
    for account in chain.accounts[:_SHOWN_ACCOUNTS]:
        console.print(f"  account {account}")
    for fault in running.faults.active.values():
        console.print(f"  fault {describe(fault)}", markup=False)
    request = (
        '{"jsonrpc":"2.0","id":1,"method":"eth_sendTransaction",'
        f'"params":[{{"from":"{chain.accounts[0]}","to":"{chain.accounts[1]}","value":"0x1"}}]}}'
    )
    console.print(f"Send a transaction:\n  curl -s {running.url} -d '{request}'", markup=False)


def _cannot_listen(port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use: choose another with --port, or --port 0 for any free one"
    return f"cannot listen on port {port}: {error.strerror or error}"

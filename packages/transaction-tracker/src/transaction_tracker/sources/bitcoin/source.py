"""Source for a Bitcoin network, over the JSON-RPC of Bitcoin Core."""

from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

from transaction_tracker.domain import (
    BlockRef,
    InvalidTransactionError,
    KeptChain,
    Link,
    Outcome,
    Required,
    Tracked,
    Transaction,
)
from transaction_tracker.sources.answers import (
    Answer,
    Consensus,
    Contained,
    Ending,
    FetchedBlock,
    Head,
    Prefetched,
    Sent,
    Unreadable,
)
from transaction_tracker.sources.bitcoin import fields
from transaction_tracker.sources.bitcoin.addresses import checked
from transaction_tracker.sources.bitcoin.blocks import Blocks
from transaction_tracker.sources.bitcoin.client import BitcoinClient, at_request
from transaction_tracker.sources.bitcoin.context import BitcoinContext
from transaction_tracker.sources.bitcoin.found import MATURITY, transaction_of
from transaction_tracker.sources.bitcoin.lookup import LookUp
from transaction_tracker.sources.bitcoin.networks import (
    BLOCK_TIME_SECONDS,
    PROFILES,
    Network,
    NetworkProfile,
    of_genesis,
)
from transaction_tracker.sources.bitcoin.votes import BitcoinVotes
from transaction_tracker.sources.errors import WrongChainError
from transaction_tracker.sources.ethereum.compared_chain import ComparedChain
from transaction_tracker.sources.ethereum.objections import ProviderAgreement
from transaction_tracker.sources.ethereum.old_blocks import OldBlocks
from transaction_tracker.sources.ethereum.rpc import Rpc
from transaction_tracker.sources.ethereum.undoing import objection_to_undo
from transaction_tracker.sources.ethereum.url import SecretUrl


class BitcoinSource(ComparedChain):
    """Chain behind one node or several; implements ``ChainSource``.

    Args:
        rpc: Client of the nodes, or the URL of a single node.
        network: Network that the nodes must be on. Default: the network of the node.
    """

    pays_by_outputs: ClassVar[bool] = True
    _link_request = staticmethod(at_request)

    def __init__(self, rpc: Rpc | SecretUrl | str, network: Network | None = None) -> None:
        self._rpc = BitcoinClient(SecretUrl.of(rpc)) if isinstance(rpc, str | SecretUrl) else rpc
        self._wanted = network
        self._checked: NetworkProfile | None = None
        self._chain = KeptChain(keep=1)
        self._context = BitcoinContext(self._rpc)
        if network is not None:
            self._context.network = PROFILES[network]
        self._blocks = Blocks(self._rpc)
        self._look_up = LookUp(self._rpc, self._context, self._blocks.by_hash)
        reader = BitcoinVotes(self._rpc, self._context)
        self._agreement = ProviderAgreement(self._rpc, reader, lambda: BLOCK_TIME_SECONDS)
        self._old_blocks = OldBlocks(self._rpc, at_request)

    def __repr__(self) -> str:
        network = self._checked.name if self._checked else self._wanted
        return f"BitcoinSource({str(self._rpc)!r}, network={network!r})"

    @property
    def name(self) -> str:
        """Name of the chain; stored data belong to the chain, not to a node."""
        return f"bitcoin:{self.network.name}"

    @property
    def network(self) -> NetworkProfile:
        """The network; available after ``check`` if it is not configured."""
        if self._checked is not None:
            return self._checked
        if self._wanted is None:
            raise RuntimeError("without a network, the source has no name before check() succeeds")
        return PROFILES[self._wanted]  # pyright: ignore[reportArgumentType]

    @property
    def id_pattern(self) -> str:
        """Regular expression of an id of 32 bytes."""
        return fields.ID_PATTERN

    def identify(self, text: str) -> str:
        """Return a transaction id in lower case, or raise ``InvalidTransactionError``."""
        key = text.lower() if isinstance(text, str) else ""
        if not fields.is_hash(key):
            raise InvalidTransactionError(
                f"a transaction id must be 64 hexadecimal digits without 0x, got {text!r}"
            )
        return key

    def signed(self, text: str, *, complete: bool = False) -> Transaction:
        """Raise ``InvalidTransactionError``: transactions are registered by their ids only."""
        raise InvalidTransactionError("raw transactions of Bitcoin are not read: give id", "raw")

    async def send(self, raw: str) -> Sent:
        """Raise ``InvalidTransactionError``: no transaction is registered with its bytes."""
        raise InvalidTransactionError("transactions of Bitcoin are not sent again", "raw")

    def slot_id(self, sender: str, nonce: int) -> str:
        """Raise ``InvalidTransactionError``: Bitcoin has no accounts with nonces."""
        raise InvalidTransactionError("Bitcoin has no senders with nonces: give id", "sender")

    def slot_of(self, transaction_id: str) -> str | None:
        """Return ``None``: each id is that of a transaction."""
        return None

    def check_required(self, required: Required) -> None:
        """Raise ``ValueError`` for a tag: no block of Bitcoin is marked as final."""
        if isinstance(required, str):
            raise ValueError(
                f"confirmations must be a number of blocks on Bitcoin, got {required!r}: its nodes "
                "mark no block as safe or finalized"
            )

    def min_confirmations(self, tracked: Tracked) -> int:
        """Return the confirmations without which a reward cannot be spent; 1 for a payment."""
        # A known transaction that spends nothing is a reward.
        return MATURITY if tracked.content is not None and not tracked.slots else 1

    def account(self, text: str) -> str:
        """Return an address in canonical form; raise ``ValueError`` if its checksum is wrong."""
        return checked(text, self._context.network)

    async def check(self, *, again: bool = False) -> None:
        """Check that the node responds and is on the right network.

        Args:
            again: Check again after a successful check.

        Raises:
            WrongChainError: The node is on another network, or an unknown one.
            SourceError: The node gives no usable response.
        """
        if self._checked is not None and not again:
            return
        identity = await self._rpc.identity()
        genesis = "" if identity.anchor is None else identity.anchor.hash
        found = of_genesis(genesis)
        if found is None:
            raise WrongChainError(
                f"{self._rpc} is on an unknown network: its first block is {genesis}; known are "
                f"{', '.join(PROFILES)}"
            )
        wanted = self._checked.name if self._checked else self._wanted
        if wanted not in (None, found.name):
            raise WrongChainError(f"{self._rpc} is on the network {found.name}, expected {wanted}")
        self._checked = self._context.network = found

    async def head(self, *, marks: bool = False) -> Head:
        """Fetch the newest block's link; Bitcoin has no marks."""
        del marks
        return Head(await self._blocks.head())

    async def block(self, ref: BlockRef) -> FetchedBlock:
        """Fetch one block."""
        return await self._blocks.by_hash(ref)

    async def other_version(self, block: FetchedBlock) -> FetchedBlock | None:
        """Return ``None``: the hash of a block proves its parent."""
        del block
        return None

    async def compare_listings(self, ref: BlockRef, transaction: str) -> None:
        """Do nothing: the hash of a block proves its transactions."""

    async def blocks(self, numbers: range) -> list[FetchedBlock]:
        """Fetch consecutive canonical blocks by number."""
        return await self._blocks.by_number(numbers)

    async def contained(
        self, blocks: Collection[BlockRef], tip: BlockRef, bottom: Link
    ) -> Contained:
        """Return which of some blocks are on our chain."""
        return await self._old_blocks.contained(blocks, tip, bottom, has_links=True)

    async def objection_to_undo(self, block: BlockRef) -> str | None:
        """Return why a kept block cannot be undone now; ``None`` if it can be."""
        return await objection_to_undo(self._rpc, self._chain, block, at_request)

    def transaction(self, block: FetchedBlock, transaction_id: str) -> Transaction:
        """Return a transaction of a fetched block."""
        return transaction_of(block.body[block.ids[transaction_id]], self._context.network)

    async def outcomes(
        self, block: FetchedBlock, ids: Collection[str]
    ) -> Mapping[str, Outcome | Unreadable | None]:
        """Fetch the fees of transactions of a block, which have all succeeded."""
        return await self._context.outcomes(block, ids)

    async def outcomes_early(
        self, wanted: Sequence[tuple[FetchedBlock, Collection[str]]]
    ) -> Mapping[str, Mapping[str, Outcome | Unreadable | None]]:
        """Fetch the fees of transactions of several blocks."""
        return {block.link.hash: await self.outcomes(block, ids) for block, ids in wanted}

    async def look_up(
        self,
        slots: Mapping[str, tuple[str, ...]],
        height: int,
        *,
        at_once: bool = False,
        doubted: Collection[str] = (),
    ) -> Mapping[str, Answer]:
        """Look up single transactions.

        No other provider is asked about ``doubted`` ones: a followed provider cannot omit a
        transaction from a block, because the block's hash proves its transactions.
        """
        del at_once, doubted
        return await self._look_up.answers(slots, height)

    async def consensus(
        self, slots: Mapping[str, tuple[str, ...]], height: int
    ) -> Mapping[str, Consensus]:
        """Ask all healthy nodes for the transactions and for the outputs that they spend."""
        return await self._look_up.consensus(slots, height)

    async def winner(self, slots: Collection[str], height: int) -> FetchedBlock | None:
        """Return ``None``: nodes have no index of the transactions that spend outputs."""
        del slots, height
        return None

    async def prefetch(
        self,
        block: FetchedBlock,
        ids: Collection[str],
        endings: Mapping[str, Ending],
        at_once: Collection[str] = (),
    ) -> Prefetched:
        """Fetch outcomes, and the opinion on ends, from the followed node."""
        opinions = self._agreement.requests(endings)
        opinions += self._agreement.content_requests(block.link.ref, at_once)
        if not opinions:
            return Prefetched()
        found = await self._rpc.batch_without_failover(list(dict.fromkeys(opinions)))
        return Prefetched(await self.outcomes(block, ids) if ids else {}, found)

    async def close(self) -> None:
        """Close the connections; the next request opens them again."""
        await self._rpc.close()

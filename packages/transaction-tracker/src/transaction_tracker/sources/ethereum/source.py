"""Source for an Ethereum chain, over JSON-RPC."""

from collections.abc import Collection, Container, Mapping, Sequence

from transaction_tracker.domain import (
    BlockRef,
    InvalidTransactionError,
    KeptChain,
    Link,
    Outcome,
    Paid,
    Required,
    Tag,
    TokenUnit,
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
from transaction_tracker.sources.errors import NotYetError, SourceError, WrongChainError
from transaction_tracker.sources.ethereum import decode, fields, slot_ids
from transaction_tracker.sources.ethereum.blocks import Blocks
from transaction_tracker.sources.ethereum.checksum import checked_address
from transaction_tracker.sources.ethereum.client import RpcClient
from transaction_tracker.sources.ethereum.compared_chain import ComparedChain
from transaction_tracker.sources.ethereum.context import ChainContext
from transaction_tracker.sources.ethereum.lookup import LookUp
from transaction_tracker.sources.ethereum.objections import ProviderAgreement
from transaction_tracker.sources.ethereum.old_blocks import OldBlocks
from transaction_tracker.sources.ethereum.outcomes import OutcomeReader
from transaction_tracker.sources.ethereum.payments import PaymentReader
from transaction_tracker.sources.ethereum.profiles import ChainProfile, profile_of
from transaction_tracker.sources.ethereum.proof import ChainRecord, is_proven
from transaction_tracker.sources.ethereum.revert_data import ErrorTable
from transaction_tracker.sources.ethereum.rpc import Identity, Request, Rpc
from transaction_tracker.sources.ethereum.sending import send
from transaction_tracker.sources.ethereum.signed import read_signed
from transaction_tracker.sources.ethereum.slot_look_up import SlotLookUp
from transaction_tracker.sources.ethereum.token_units import read_token_units
from transaction_tracker.sources.ethereum.undoing import objection_to_undo
from transaction_tracker.sources.ethereum.url import SecretUrl
from transaction_tracker.sources.ethereum.vote_reader import VoteReader
from transaction_tracker.sources.ethereum.winner import Winners

_MARKS: tuple[Tag, ...] = ("safe", "finalized")


class EthereumSource(ComparedChain):
    """Chain behind one node or several; implements ``ChainSource``.

    Args:
        rpc: Client of the nodes, or the URL of a single node.
        chain_id: Chain id that the nodes must have. Default: the chain id of the node.
        profile: Overrides of the chain's profile, by name of the attribute.
        errors: Signatures of custom errors, to decode revert reasons.

    Raises:
        ValueError: ``profile`` or ``errors`` is invalid; the message names the value.
    """

    def __init__(
        self,
        rpc: Rpc | SecretUrl | str,
        chain_id: int | None = None,
        *,
        profile: Mapping[str, object] | None = None,
        errors: Sequence[str] = (),
    ) -> None:
        self._rpc = RpcClient(SecretUrl.of(rpc)) if isinstance(rpc, str | SecretUrl) else rpc
        self._wanted = chain_id
        self._changes = dict(profile or {})
        self._checked: Identity | None = None
        self._anchor: BlockRef | None = None
        self._chain = KeptChain(keep=1)
        self._context = ChainContext(chain_id, profile_of(chain_id, self._changes))
        self._blocks = Blocks(self._rpc, self._context)
        self._outcomes = OutcomeReader(self._rpc, self._context, ErrorTable.of(errors))
        self._look_up = LookUp(self._rpc, self._context, self._outcomes)
        self._slots = SlotLookUp(self._rpc)
        reader = VoteReader(self._rpc, self._context)
        self._agreement = ProviderAgreement(self._rpc, reader, lambda: self.profile.block_time)
        self._old_blocks = OldBlocks(self._rpc)
        self._payments = PaymentReader(self._rpc)
        self._winners = Winners(self._rpc, self._blocks)

    def __repr__(self) -> str:
        chain_id = self._checked.chain_id if self._checked else self._wanted
        return f"EthereumSource({str(self._rpc)!r}, chain_id={chain_id})"

    @property
    def name(self) -> str:
        """Name of the chain; stored data belong to the chain, not to a node."""
        chain_id = self._wanted if self._checked is None else self._checked.chain_id
        if chain_id is None:
            raise RuntimeError("without a chain id, the source has no name before check() succeeds")
        return f"ethereum:{chain_id}"

    @property
    def id_pattern(self) -> str:
        """Regular expression of a hash of 32 bytes, or of a sender and a nonce."""
        return slot_ids.ID_PATTERN if self.profile.account_nonces else fields.HASH_PATTERN

    @property
    def profile(self) -> ChainProfile:
        """Profile of the chain; before the first check, of the configured chain."""
        return self._context.profile

    def identify(self, text: str) -> str:
        """Return a transaction hash, or a sender and a nonce, in canonical form.

        Raises:
            InvalidTransactionError: The text is neither; or the checksum of the sender is wrong,
                or the chain has no nonces of accounts.
        """
        if isinstance(text, str) and ":" in text:
            return slot_ids.canonical(text, self.profile)
        if not isinstance(text, str) or not fields.is_hash(text):
            raise InvalidTransactionError(
                f"a transaction hash must be 0x and 64 hexadecimal digits, got {text!r}"
            )
        return text.lower()

    def signed(self, text: str, *, complete: bool = False) -> Transaction:
        """Return the transaction that a raw signed transaction contains."""
        found = read_signed(text, self.profile, self._context.chain_id)
        if complete and not found.can_be_sent:
            why = "raw: the blobs are missing, so it cannot be sent again: set rebroadcast to false"
            raise InvalidTransactionError(why, "raw")
        return found.transaction

    async def send(self, raw: str) -> Sent:
        """Send a raw signed transaction to all healthy nodes."""
        return await send(self._rpc, raw)

    async def token_units(self, contracts: Sequence[str]) -> Mapping[str, TokenUnit]:
        """Ask all healthy nodes for the decimals and symbols of tokens; see ``TokenSource``."""
        return await read_token_units(self._rpc, contracts)

    def slot_id(self, sender: str, nonce: int) -> str:
        """Return the id of whichever transaction of a sender has a nonce."""
        return slot_ids.canonical(f"{sender}:{nonce}", self.profile)

    def slot_of(self, transaction_id: str) -> str | None:
        """Return the id if it is a sender and a nonce, ``None`` for a hash."""
        return transaction_id if ":" in transaction_id else None

    def check_required(self, required: Required) -> None:
        """Raise ``ValueError`` for a tag that the chain's profile does not have."""
        self.profile.check_required(required)

    def account(self, text: str) -> str:
        """Return an address in lower case; raise ``ValueError`` if its checksum is wrong."""
        return checked_address(text)

    @property
    def anchor(self) -> BlockRef | None:
        """Block that proves the chain's identity; ``None`` if it could not be proven."""
        return self._anchor

    async def check(self, *, again: bool = False, known: ChainRecord | None = None) -> None:
        """Check that the node responds and is on the right chain.

        Args:
            again: Check again after a successful check.
            known: Facts that the database holds about its chain.

        Raises:
            WrongChainError: The node is on another chain than the configuration, an earlier check
                or the database.
            SourceError: The node gives no usable response.
        """
        if self._checked is not None and not again:
            return
        known = ChainRecord(self._anchor) if known is None else known
        anchor = known.anchor
        height = None if anchor is None else anchor.number
        found = await self._rpc.identity(height, expected=anchor)
        wanted = self._checked.chain_id if self._checked else self._wanted
        if wanted not in (None, found.chain_id):
            raise WrongChainError(f"{self._rpc} is on chain {found.chain_id}, expected {wanted}")
        if known.source not in (None, f"ethereum:{found.chain_id}"):
            # Blocks of another chain prove nothing; the store refuses this chain.
            known = ChainRecord()
        proven = await is_proven(self._rpc, found, known)
        if self._checked is None:
            self._anchor = known.anchor or (found.anchor if proven else None)
        self._checked = found
        if isinstance(found.chain_id, int):
            self._context.chain_id = found.chain_id
            self._context.profile = profile_of(found.chain_id, self._changes)

    async def head(self, *, marks: bool = False) -> Head:
        """Fetch the newest block's link, with ``marks`` also the safe and finalized blocks."""
        # Without its transactions, because most requests find the head that is known already.
        tags = _MARKS if marks and self.profile.finality_tags else ()
        following = self._blocks.request_next(self._chain.tip)
        heads = [_tagged(tag) for tag in ("latest", *tags)]
        latest, *others = await self._rpc.batch([*heads, *following])
        if isinstance(latest, SourceError):
            raise latest
        if latest is None:
            (latest,) = await self._rpc.elsewhere([_tagged("latest")])
        if latest is None:
            raise NotYetError(f"{self._rpc} has no block at all yet")
        self._context.base_fee = latest.base_fee
        marked, answers = others[: len(tags)], others[len(tags) :]
        for answer in answers:
            self._blocks.take_next(answer)
        # Many development chains do not know the tags.
        known: dict[Tag, BlockRef] = {
            tag: block.link.ref
            for tag, block in zip(tags, marked, strict=True)
            if isinstance(block, decode.HeadBlock)
        }
        return Head(latest.link, known)

    async def block(self, ref: BlockRef) -> FetchedBlock:
        """Fetch one block, and prefetch its receipts if the last block had many hits."""
        if not self._blocks.has(ref.hash):
            self._outcomes.prefetch(ref.hash)
        return await self._blocks.by_hash(ref)

    async def other_version(self, block: FetchedBlock) -> FetchedBlock | None:
        """Fetch a block from the other providers, if they name another parent."""
        return await self._blocks.other_version(block, self._chain)

    async def compare_listings(self, ref: BlockRef, transaction: str) -> None:
        """Record a fault of the providers that omit a transaction of a block, if they are few."""
        await self._blocks.compare_listings(ref, transaction)

    async def blocks(self, numbers: range) -> list[FetchedBlock]:
        """Fetch consecutive canonical blocks by number, concurrently."""
        return await self._blocks.by_number(numbers)

    async def contained(
        self, blocks: Collection[BlockRef], tip: BlockRef, bottom: Link
    ) -> Contained:
        """Return which of some blocks are on our chain."""
        has_links = self.profile.parent_links
        return await self._old_blocks.contained(blocks, tip, bottom, has_links=has_links)

    async def objection_to_undo(self, block: BlockRef) -> str | None:
        """Return why a kept block cannot be undone now; ``None`` if it can be."""
        return await objection_to_undo(self._rpc, self._chain, block)

    def transaction(self, block: FetchedBlock, transaction_id: str) -> Transaction:
        """Return a transaction of a fetched block."""
        return decode.transaction(block.body[block.ids[transaction_id]], self.profile)

    async def outcomes(
        self, block: FetchedBlock, ids: Collection[str]
    ) -> Mapping[str, Outcome | Unreadable | None]:
        """Fetch the outcomes of transactions of a block, by single receipts or all of the block."""
        return await self._outcomes.of_block(block, ids)

    async def outcomes_early(
        self, wanted: Sequence[tuple[FetchedBlock, Collection[str]]]
    ) -> Mapping[str, Mapping[str, Outcome | Unreadable | None]]:
        """Fetch the outcomes in several blocks concurrently, in few requests."""
        return await self._outcomes.of_blocks(wanted)

    @property
    def has_others(self) -> bool:
        """Whether several nodes are configured, so that their answers can be compared."""
        return self._rpc.is_compared

    async def transfers_elsewhere(
        self, blocks: Sequence[BlockRef], watched: Container[str], tokens: Collection[str]
    ) -> Mapping[BlockRef, Paid]:
        """Return what transfers in some blocks pay, by one other node."""
        return await self._payments.elsewhere(blocks, watched, tokens)

    async def succeeded_elsewhere(
        self, failed: Mapping[BlockRef, Collection[str]]
    ) -> frozenset[str]:
        """Return which transactions succeeded, by the receipts of the other providers."""
        return await self._outcomes.succeeded_elsewhere(failed)

    async def look_up(
        self,
        slots: Mapping[str, tuple[str, ...]],
        height: int,
        *,
        at_once: bool = False,
        doubted: Collection[str] = (),
    ) -> Mapping[str, Answer]:
        """Look up single transactions, with receipts of those that are or can be in a block."""
        by_slot, by_hash = _by_slot(slots)
        doubted_ = [key for key in doubted if key in by_hash]
        found: dict[str, Answer] = {}
        if by_hash:
            found |= await self._look_up.answers(by_hash, height, at_once=at_once, doubted=doubted_)
        if by_slot:
            found |= await self._slots.answers(by_slot, height)
        return found

    async def consensus(
        self, slots: Mapping[str, tuple[str, ...]], height: int
    ) -> Mapping[str, Consensus]:
        """Ask all healthy nodes for the transactions, their receipts and their slots."""
        tip = None if self._chain.tip is None else self._chain.tip.number
        by_slot, by_hash = _by_slot(slots)
        found: dict[str, Consensus] = {}
        if by_hash:
            found |= await self._look_up.consensus(by_hash, height, tip)
        if by_slot:
            found |= await self._slots.consensus(by_slot, height, tip)
        return found

    async def winner(self, slots: Collection[str], height: int) -> FetchedBlock | None:
        """Find the block at or below ``height`` whose transaction took the only slot."""
        (slot,) = slots
        return await self._winners.find(slot, height)

    async def payments(
        self, blocks: Sequence[FetchedBlock], watched: Container[str], tokens: Collection[str]
    ) -> Mapping[str, Paid]:
        """Return what the transactions of some blocks pay to watched accounts."""
        return await self._payments.of_blocks(blocks, watched, tokens)

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
        room = self._rpc.calls_per_request - len(opinions)
        receipts = self._outcomes.requests(block, ids, room)
        requests = list(dict.fromkeys([*receipts, *opinions]))
        if not requests or not (opinions or self._rpc.is_compared):
            return Prefetched()
        found = await self._rpc.batch_without_failover(requests)
        return Prefetched(await self._outcomes.of_answers(block, ids, found.results), found)

    async def close(self) -> None:
        """Close the connections; the next request opens them again."""
        self._outcomes.forget()
        await self._rpc.close()


def _by_slot(
    slots: Mapping[str, tuple[str, ...]],
) -> tuple[list[str], dict[str, str | None]]:
    """Return the transactions that are tracked by their slots, and the slot of each other one.

    A transaction has one slot, its sender and nonce, or none.
    """
    by_slot = [key for key, own in slots.items() if own == (key,)]
    single = {key: own[0] if own else None for key, own in slots.items() if own != (key,)}
    return by_slot, single


def _tagged(tag: str) -> Request:
    return Request("eth_getBlockByNumber", (tag, False), decode.head)

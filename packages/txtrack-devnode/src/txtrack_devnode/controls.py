"""The ``dev_`` and ``evm_`` methods, which control the chain."""

from collections.abc import Mapping

from txtrack_devnode import params
from txtrack_devnode.chain import ORPHANS, Chain, Orphans
from txtrack_devnode.rpc import Method
from txtrack_devnode.transaction import REPLACEMENTS, Authorization

MAX_MINED_AT_ONCE = 10_000


class ControlMethods:
    """Methods that mine, replace, revert and drop transactions, and reorganise one chain."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    def table(self) -> Mapping[str, Method]:
        """Return the methods by name."""
        return {
            "evm_mine": self.evm_mine,
            "dev_mine": self.mine,
            "dev_drop": self.drop,
            "dev_replace": self.replace,
            "dev_revert": self.revert,
            "dev_reorg": self.reorg,
            "dev_rollback": self.rollback,
            "dev_skip": self.skip,
            "dev_authorize": self.authorize,
            "dev_mine_fork": self.mine_fork,
        }

    def evm_mine(self, options: object = None, /) -> object:
        """Mine one block, or ``{"blocks": n}``, as other development nodes do."""
        given = params.fields({} if options is None else options, ["blocks"], "the parameter")
        self.mine(given.get("blocks", 1))
        return "0x0"

    def mine(self, count: object = 1, /) -> object:
        """Mine blocks and return their hashes."""
        blocks = params.number(count, "the number of blocks")
        if blocks > MAX_MINED_AT_ONCE:
            raise params.invalid("the number of blocks", f"at most {MAX_MINED_AT_ONCE}", count)
        return [block.hash for block in self._chain.mine(blocks)]

    def drop(self, tx_hash: object, /) -> object:
        """Remove a pending transaction from the pool."""
        return self._chain.drop(params.hash32(tx_hash))

    def replace(self, tx_hash: object, kind: object = "repriced", /) -> object:
        """Replace a pending transaction: repriced, cancelled or replaced (see `Chain.replace`)."""
        wanted = params.choice(kind, REPLACEMENTS, "the kind")
        return self._chain.replace(params.hash32(tx_hash), wanted).hash

    def revert(self, tx_hash: object, reason: object = "", /) -> object:
        """Make a transaction revert when it is mined, or succeed (``null``)."""
        text = None if reason is None else params.text(reason, "the reason")
        self._chain.revert(params.hash32(tx_hash), text)
        return True

    def reorg(self, depth: object, orphans: object = "pool", length: object = None, /) -> object:
        """Replace the highest blocks by another branch: see `Chain.reorg`."""
        blocks = None if length is None else params.number(length, "the length")
        result = self._chain.reorg(
            params.number(depth, "the depth"), _orphans(orphans), length=blocks
        )
        return {
            "removed": [block.hash for block in result.removed],
            "added": [block.hash for block in result.added],
        }

    def rollback(self, depth: object, orphans: object = "pool", /) -> object:
        """Remove the highest blocks and return their hashes."""
        removed = self._chain.rollback(params.number(depth, "the depth"), _orphans(orphans))
        return [block.hash for block in removed]

    def skip(self, count: object = 1, /) -> object:
        """Leave the next block numbers empty: null rounds."""
        self._chain.skip(params.number(count, "the count"))
        return True

    def authorize(self, authority: object, sponsor: object, /) -> object:
        """Use the next nonce of ``authority`` in a transaction of ``sponsor`` (EIP-7702)."""
        signer = params.address(authority)
        authorization = Authorization(signer, self._chain.nonce(signer))
        sender = params.address(sponsor)
        return self._chain.submit(sender, sender, authorizations=[authorization]).hash

    def mine_fork(self, number: object, count: object = 1, /) -> object:
        """Mine blocks on a fork, by its number in the fault ``forked``, and return their hashes."""
        index = params.number(number, "the fork's number")
        if not 0 <= index < len(self._chain.forks):
            raise params.invalid("the fork's number", "the number of a fork", number)
        blocks = params.number(count, "the number of blocks")
        if blocks > MAX_MINED_AT_ONCE:
            raise params.invalid("the number of blocks", f"at most {MAX_MINED_AT_ONCE}", count)
        return [block.hash for block in self._chain.forks[index].mine(blocks)]


def _orphans(value: object) -> Orphans:
    return params.choice(value, ORPHANS, "what happens to the orphans")

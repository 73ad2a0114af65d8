"""The fence: lets a transaction commit only while its host owns its shard."""

from typing import Final, NamedTuple

FENCE_SQL: Final[str] = (
    "select 1 from beamish_shard where cluster = %(cluster)s and shard = %(shard)s "
    "and epoch = %(epoch)s for key share"
)
"""Run this first in a transaction, with ``fence._asdict()`` as parameters.

No row means that another host owns the shard: raise `StaleError` and roll back. A row locks the
shard against a new owner until the transaction ends. ``for key share`` does not delay the renewal
of the lease, which ``for share`` would.
"""


class Fence(NamedTuple):
    """The right of one host to act for one shard.

    Args:
        cluster: The name of the cluster.
        shard: The shard.
        epoch: The number of the host: pass it on as an idempotency token to systems that cannot
            run `FENCE_SQL`, so that they can refuse a lower number than the last.
    """

    cluster: str
    shard: int
    epoch: int

"""The networks of Bitcoin, each recognised by the hash of its first block."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Network = Literal["main", "test", "testnet4", "signet", "regtest"]
NETWORKS: tuple[Network, ...] = get_args(Network)

BLOCK_TIME_SECONDS = 600.0
"""Expected time between two blocks. The times themselves are random: an hour without a block
occurs several times a month."""


@dataclass(frozen=True, slots=True)
class NetworkProfile:
    """One network, with the forms of its addresses.

    Attributes:
        name: Name that Bitcoin Core gives it.
        genesis: Hash of the first block.
        key_version: First byte of an address of a key (base58).
        script_version: First byte of an address of a script (base58).
        prefix: Prefix of other addresses (BIP 173).
    """

    name: Network
    genesis: str
    key_version: int
    script_version: int
    prefix: str


PROFILES: Mapping[Network, NetworkProfile] = {
    profile.name: profile
    for profile in (
        NetworkProfile(
            "main",
            "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
            0x00,
            0x05,
            "bc",
        ),
        NetworkProfile(
            "test",
            "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943",
            0x6F,
            0xC4,
            "tb",
        ),
        NetworkProfile(
            "testnet4",
            "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043",
            0x6F,
            0xC4,
            "tb",
        ),
        NetworkProfile(
            "signet",
            "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6",
            0x6F,
            0xC4,
            "tb",
        ),
        NetworkProfile(
            "regtest",
            "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
            0x6F,
            0xC4,
            "bcrt",
        ),
    )
}


def of_genesis(genesis: str) -> NetworkProfile | None:
    """Return the network with a first block, or ``None`` if none has it."""
    return next((known for known in PROFILES.values() if known.genesis == genesis), None)

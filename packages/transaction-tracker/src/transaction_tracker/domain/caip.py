"""Ids of transactions that are unique over all sources: chain ids of CAIP-2, and a transaction id.

``eip155:1:0x…`` is a transaction of an Ethereum chain, and one of Bitcoin begins with
``bip122:000000000019d6689c085ae165831e93:``. A source without a chain id of CAIP-2 has its name in
place of it: ``http:bank:payment-7``.

Source:
    CAIP-2: a namespace of 3 to 8 characters, and a reference of up to 32. Its namespace ``bip122``
    has the first 32 characters of the hash of the first block.
"""

import re

# The name that a source has in the database, and the namespace of CAIP-2.
_ETHEREUM, _EIP155 = "ethereum:", "eip155:"
_CAIP = re.compile(
    r"(eip155:[0-9]{1,32}|bip122:[0-9a-f]{32}|http:[a-z0-9][a-z0-9._-]{0,59}):(.+)", re.DOTALL
)
# The networks of Bitcoin, by the names of their sources.
_BITCOIN = {
    f"bitcoin:{network}": f"bip122:{start}"
    for network, start in (
        ("main", "000000000019d6689c085ae165831e93"),
        ("test", "000000000933ea01ad0ee984209779ba"),
        ("testnet4", "00000000da84f2bafbbc53dee25a72ae"),
        ("signet", "00000008819873e925422c1ff0f99f7c"),
        ("regtest", "0f9188f13cb7b2c71f2a335e3a4fc328"),
    )
}


def chain_of(source: str) -> str:
    """Return the chain id of a source, by the name that it has in the database.

    >>> chain_of("ethereum:1")
    'eip155:1'
    """
    if source.startswith(_ETHEREUM):
        return _EIP155 + source.removeprefix(_ETHEREUM)
    return _BITCOIN.get(source, source)


def caip_id(source: str, transaction: str) -> str:
    """Return a transaction's id that is unique over all sources.

    Args:
        source: Name of the source in the database; empty if it is unknown.
        transaction: Transaction id at the source.
    """
    return f"{chain_of(source)}:{transaction}" if source else transaction


def local_id(source: str, transaction: str) -> str:
    """Return a transaction's id at its source, without the chain id of that source."""
    return transaction.removeprefix(f"{chain_of(source)}:") if source else transaction


def split_caip_id(text: str) -> tuple[str, str] | None:
    """Return the chain id and the transaction id of a text; ``None`` if it has no chain id."""
    found = _CAIP.fullmatch(text)
    return None if found is None else (found[1], found[2])

"""Signed transactions: the node has no elliptic curve, so the program that starts it reads them."""

import pytest

from txtrack_devnode import GWEI, Chain, ChainError, Transaction
from txtrack_devnode.ethereum import EthereumMethods

WALLET = "0x" + "ab" * 20


def test_signed_transaction_is_accepted_with_a_function_that_reads_it() -> None:
    chain = Chain(wallets=(WALLET,))
    sent = Transaction.create(
        chain_id=chain.chain_id, sender=WALLET, nonce=0, to=chain.accounts[0], max_fee=2 * GWEI
    )
    read: list[str] = []

    def read_raw(raw: str) -> Transaction:
        read.append(raw)
        return sent

    send = EthereumMethods(chain, read_raw).table()["eth_sendRawTransaction"]

    assert send("0xf86c") == sent.hash
    assert read == ["0xf86c"]
    assert chain.pending(sent.hash) == sent
    with pytest.raises(ChainError, match="already known"):
        send("0xf86c")


def test_wallet_has_ether_after_a_copy_of_the_chain() -> None:
    chain = Chain(accounts=1, wallets=(WALLET,))

    assert chain.accounts[1:] == (WALLET,)
    assert (
        chain.balance(WALLET) == chain.fork(0).balance(WALLET) == chain.balance(chain.accounts[0])
    )

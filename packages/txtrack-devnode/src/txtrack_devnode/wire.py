"""Blocks, transactions and receipts in the JSON form of Ethereum's JSON-RPC.

Quantities are ``0x`` and hexadecimal digits without leading zeros; bytes have two digits each.
Fields that this node does not compute (roots, bloom filters, signatures) have the right form and
placeholder values.
"""

from txtrack_devnode.block import Block
from txtrack_devnode.blocks import Mined
from txtrack_devnode.hashing import address, digest
from txtrack_devnode.tokens import transfer_of
from txtrack_devnode.transaction import DYNAMIC_FEE, SET_CODE, Transaction

Json = dict[str, object]

NO_LOGS_BLOOM = "0x" + "0" * 512
ANY_LOGS_BLOOM = "0x" + "f" * 512  # every log can be in it: a reader must look
NO_ADDRESS = "0x" + "0" * 40
NO_UNCLES = "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347"
_BLOCK_BYTES, _TRANSACTION_BYTES = 600, 120
_ERROR_STRING_SELECTOR = "08c379a0"  # of Solidity's Error(string)


def block_json(block: Block, *, full: bool) -> Json:
    """Return a block with its transactions, or with their hashes only."""
    return header_json(block) | {
        "size": hex(_BLOCK_BYTES + _TRANSACTION_BYTES * len(block.transactions)),
        "transactions": _transactions(block) if full else [tx.hash for tx in block.transactions],
        "uncles": [],
        "withdrawals": [],
    }


def header_json(block: Block) -> Json:
    """Return a block without transactions, as a ``newHeads`` notification has it."""
    return {
        "number": hex(block.number),
        "hash": block.hash,
        "parentHash": block.parent_hash,
        "nonce": "0x" + "0" * 16,
        "sha3Uncles": NO_UNCLES,
        "logsBloom": ANY_LOGS_BLOOM if any(map(transfer_of, block.transactions)) else NO_LOGS_BLOOM,
        "transactionsRoot": digest("transactions", block.hash),
        "stateRoot": digest("state", block.hash),
        "receiptsRoot": digest("receipts", block.hash),
        "withdrawalsRoot": digest("withdrawals"),
        "miner": NO_ADDRESS,
        "difficulty": "0x0",
        "extraData": f"0x{block.branch:016x}",
        "gasLimit": hex(block.gas_limit),
        "gasUsed": hex(block.gas_used),
        "timestamp": hex(block.timestamp),
        "mixHash": digest("mix", block.hash),
        "baseFeePerGas": hex(block.base_fee),
    }


def pending_block_json(block: Block, *, full: bool) -> Json:
    """Return the pending block, which has no hash, nonce, miner or bloom filter yet."""
    missing: Json = {"hash": None, "nonce": None, "miner": None, "logsBloom": None}
    transactions = [pending_json(tx) for tx in block.transactions]
    return (
        block_json(block, full=False) | missing | ({"transactions": transactions} if full else {})
    )


def transaction_json(mined: Mined) -> Json:
    """Return a mined transaction."""
    return _transaction(mined.transaction, mined.block.base_fee) | _place(mined.block, mined.index)


def pending_json(tx: Transaction) -> Json:
    """Return a pending transaction."""
    place = dict.fromkeys(("blockHash", "blockNumber", "blockTimestamp", "transactionIndex"))
    return _transaction(tx, tx.max_fee) | place


def receipts_json(block: Block) -> list[Json]:
    """Return all receipts of a block."""
    return [receipt_json(Mined(tx, block, index)) for index, tx in enumerate(block.transactions)]


def receipt_json(mined: Mined) -> Json:
    """Return the receipt of a transaction.

    The field ``revertReason``, encoded as Solidity's ``Error(string)``, exists on some real nodes
    only.
    """
    tx, block = mined.transaction, mined.block
    reason, logs = block.revert_reason(tx.hash), logs_json(mined)
    receipt: Json = {
        "type": hex(tx.type),
        "transactionHash": tx.hash,
        "transactionIndex": hex(mined.index),
        "blockHash": block.hash,
        "blockNumber": hex(block.number),
        "from": tx.sender,
        "to": tx.to,
        "cumulativeGasUsed": hex(block.cumulative_gas_used[mined.index]),
        "gasUsed": hex(tx.gas_used),
        "effectiveGasPrice": hex(0 if tx.system else tx.gas_price(block.base_fee)),
        "contractAddress": None if tx.to else address("contract", tx.sender, tx.nonce),
        "logs": logs,
        "logsBloom": ANY_LOGS_BLOOM if logs else NO_LOGS_BLOOM,
        "status": "0x1" if reason is None else "0x0",
    }
    return receipt | ({"revertReason": encode_reason(reason)} if reason else {})


def encode_reason(reason: str) -> str:
    """Encode a revert reason as a Solidity contract returns it."""
    data = reason.encode()
    padding = -len(data) % 32
    return f"0x{_ERROR_STRING_SELECTOR}{32:064x}{len(data):064x}{data.hex()}{'00' * padding}"


def logs_json(mined: Mined) -> list[Json]:
    """Return the logs of a transaction: the token transfer that it makes, if it makes one.

    ``logIndex`` rises through the block, and skips transactions without a log.
    """
    transfer = transfer_of(mined.transaction)
    if transfer is None or mined.block.revert_reason(mined.transaction.hash) is not None:
        return []
    log: Json = {"address": transfer.token, "topics": transfer.topics, "data": transfer.data}
    place = {"transactionHash": mined.transaction.hash, "logIndex": hex(mined.index)}
    return [log | place | _place(mined.block, mined.index) | {"removed": False}]


def _transactions(block: Block) -> list[Json]:
    return [
        _transaction(tx, block.base_fee) | _place(block, index)
        for index, tx in enumerate(block.transactions)
    ]


def _transaction(tx: Transaction, base_fee: int) -> Json:
    if tx.system:
        return _system_transaction(tx)
    return {
        "type": hex(tx.type),
        "hash": tx.hash,
        "chainId": hex(tx.chain_id),
        "from": tx.sender,
        "nonce": hex(tx.nonce),
        "to": tx.to,
        "value": hex(tx.value),
        "input": tx.data,
        "gas": hex(tx.gas),
        "gasPrice": hex(tx.gas_price(base_fee)),
        **(_dynamic_fee_fields(tx) if tx.type >= DYNAMIC_FEE else {}),
        "v": "0x0",
        "yParity": "0x0",
        "r": "0x1",
        "s": "0x1",
    }


def _dynamic_fee_fields(tx: Transaction) -> Json:
    """Return the fields that legacy transactions do not have."""
    fields: Json = {
        "maxFeePerGas": hex(tx.max_fee),
        "maxPriorityFeePerGas": hex(tx.priority_fee),
        "accessList": [],
    }
    if tx.type == SET_CODE:
        fields["authorizationList"] = [
            # Only the signature says which account authorized it.
            {
                "chainId": hex(tx.chain_id),
                "address": NO_ADDRESS,
                "nonce": hex(item.nonce),
                "yParity": "0x0",
                "r": digest("authority", item.authority),
                "s": "0x1",
            }
            for item in tx.authorizations
        ]
    return fields


def _system_transaction(tx: Transaction) -> Json:
    """Return an unsigned transaction in the form of an OP stack deposit."""
    return {
        "type": hex(tx.type),
        "hash": tx.hash,
        "sourceHash": digest("source", tx.hash),
        "from": tx.sender,
        "nonce": hex(tx.nonce),
        "to": tx.to,
        "mint": "0x0",
        "value": hex(tx.value),
        "input": tx.data,
        "gas": hex(tx.gas),
        "gasPrice": "0x0",
        "v": "0x0",
        "r": "0x0",
        "s": "0x0",
    }


def _place(block: Block, index: int) -> Json:
    return {
        "blockHash": block.hash,
        "blockNumber": hex(block.number),
        "blockTimestamp": hex(block.timestamp),
        "transactionIndex": hex(index),
    }

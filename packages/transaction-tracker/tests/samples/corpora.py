"""Reads what nodes sent, as other projects keep it in their repositories.

None of it is a part of this repository. The repositories are read from bare or ordinary clones,
at named commits, so that the counts can be checked again.
"""

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transaction_tracker.sources import MalformedError
from transaction_tracker.sources.ethereum import decode
from transaction_tracker.sources.ethereum.profiles import profile_of
from transaction_tracker.sources.ethereum.transfers import read_logs

_TRANSACTION_FIELDS = {"hash", "nonce", "from", "gas"}
_DECODER = json.JSONDecoder()
# JavaScript's literals, as far as viem's tests have them.
_JS_KEY = re.compile(r"([{,]\s*)([A-Za-z_]\w*)\s*:")
_JS_STRING = re.compile(r"'([^'\\]*)'")
_JS_TRAILING_COMMA = re.compile(r",(\s*[}\]])")


@dataclass(frozen=True, slots=True)
class Corpus:
    """The samples of one repository.

    Attributes:
        repository: Owner and name at GitHub.
        commit: The commit that is read.
        paths: Which of its files have what a node sent.
        chain_id: The chain whose profile is used; ``None`` for the cautious defaults.
        counts: How many different objects of each kind there are.
        unreadable: How many transactions in blocks have a part that cannot be read.
    """

    repository: str
    commit: str
    paths: str
    counts: dict[str, int]
    chain_id: int | None = None
    unreadable: int = 0

    def files(self, clones: Path) -> Iterator[tuple[str, str]]:
        """Yield the path and the text of each file."""
        git = ["git", "-C", str(clone(clones, self.repository))]
        listed = _run([*git, "ls-tree", "-r", "--name-only", self.commit]).splitlines()
        for path in listed:
            if re.search(self.paths, path):
                yield path, _run([*git, "show", f"{self.commit}:{path}"])


@dataclass(slots=True)
class Reading:
    """What came of reading a corpus.

    Attributes:
        counts: How many different objects of each kind were read.
        refused: Path, kind and error of each object that the decoder refused.
        unreadable: How many transactions in blocks had a part that could not be read.
    """

    counts: Counter[str] = field(default_factory=Counter)
    refused: list[tuple[str, str, str]] = field(default_factory=list)
    unreadable: int = 0


def clone(clones: Path, repository: str) -> Path:
    """Return where a repository's clone is: ``owner+name``, itself or in ``repo``."""
    folder = clones / repository.replace("/", "+")
    return folder / "repo" if (folder / "repo").is_dir() else folder


def read(corpus: Corpus, clones: Path) -> Reading:
    """Read every block, transaction, receipt and log of a corpus, each different one once."""
    reading = Reading()
    seen: set[str] = set()
    for path, text in corpus.files(clones):
        for kind, value in (pair for found in _objects(path, text) for pair in _samples(found)):
            key = kind + json.dumps(value, sort_keys=True)
            if key not in seen:
                seen.add(key)
                reading.counts[kind] += 1
                _read_one(reading, path, kind, value, corpus.chain_id)
    return reading


def samples(corpus: Corpus, clones: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every block, transaction, receipt and log of a corpus, with its kind."""
    for path, text in corpus.files(clones):
        for found in _objects(path, text):
            yield from _samples(found)


def _read_one(reading: Reading, path: str, kind: str, value: Any, chain_id: int | None) -> None:
    profile = profile_of(chain_id)
    try:
        match kind:
            case "block":
                decode.head(value)
                reading.unreadable += decode.block(value, profile).unreadable
            case "header":
                decode.head(value)
            case "transaction":
                decode.found(value, profile)
            case "receipt":
                decode.receipt(value, profile)
            case "log":
                _, malformed = read_logs([value]) or ((), 1)
                if malformed:
                    raise MalformedError("a log that names a transfer and is none")
    except MalformedError as error:
        reading.refused.append((path, kind, str(error)))


def _samples(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what is in a value, however deep, with its kind."""
    if isinstance(value, list):
        for item in value:
            yield from _samples(item)
    elif isinstance(value, dict):
        kind = _kind(value)
        if kind is not None:
            yield kind, value
        for item in value.values():
            yield from _samples(item)


def _kind(value: dict[str, Any]) -> str | None:
    if "parentHash" in value and "number" in value and "hash" in value:
        if value["hash"] is None:
            return "pending block"  # never asked for
        return "block" if isinstance(value.get("transactions"), list) else "header"
    if "transactionHash" in value and "gasUsed" in value:
        return "receipt"
    if value.keys() >= _TRANSACTION_FIELDS:
        return "transaction"
    return "log" if "topics" in value and "data" in value else None


def _objects(path: str, text: str) -> Iterator[Any]:
    if path.endswith(".ts"):
        text = _JS_TRAILING_COMMA.sub(r"\1", _JS_STRING.sub(r'"\1"', _JS_KEY.sub(r'\1"\2":', text)))
        text = text.replace("undefined", "null")
    start = text.find("{")
    while start >= 0:
        try:
            value, end = _DECODER.raw_decode(text, start)
        except ValueError:
            end = start + 1
        else:
            yield value
        start = text.find("{", end)


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, check=False)
    return done.stdout.decode(errors="replace")


# One file is not in the snapshot that was read: execution-apis' eth_getLogs/no-topics.io. Left out
# are a file of Hedera's whose values stand for any value, and what is not sent by a node: test
# vectors of state transitions, payloads of the engine API, Sei's traces, viem's fragments.
CORPORA = (
    Corpus(
        "ethereum/execution-apis",
        "033ca6e69da000445840d2060ff47e5e56172a86",
        r"^tests/(?!eth_getLogs/no-topics).*\.io$",
        {"block": 337, "transaction": 74, "receipt": 13, "log": 32},
    ),
    Corpus(
        "ethereum/go-ethereum",
        "02b73d4ea7181464175e0a6cbecc0a3a2655a562",
        r"^internal/ethapi/testdata/",
        {"block": 4, "header": 4, "pending block": 3, "transaction": 2, "receipt": 7, "log": 1},
    ),
    Corpus(
        "alloy-rs/alloy",
        "e1b4bf79c608e24728398b130a4ced0eb7dddb93",
        r"^crates/(rpc-types-(eth|any|txpool)|provider|network|consensus-any)/",
        {"block": 7, "header": 5, "transaction": 109, "receipt": 8, "log": 7},
    ),
    Corpus(
        "alloy-rs/op-alloy",
        "a93a08a021e80db8133f5f7fdccbb5639bc68d45",
        r"^crates/(rpc-types|consensus)/",
        {"transaction": 2, "receipt": 1},
        chain_id=10,
    ),
    Corpus(
        "wevm/viem",
        "0912a29d5c7abbea5238d6f7c3d750f07d479ace",
        r"^src/(celo|zksync|op-stack|linea|tempo)/.*\.test\.ts$|^src/actions/.*\.test\.ts$",
        {"block": 8, "transaction": 15, "receipt": 4, "log": 12},
        unreadable=1,
    ),
    Corpus(
        "maticnetwork/bor",
        "e7928027944dd5711c1ef2f3c250fa216a4136f5",
        r"^internal/ethapi/",
        {"block": 6, "header": 5, "pending block": 3, "transaction": 19, "receipt": 17, "log": 10},
        chain_id=137,
    ),
    Corpus(
        "ava-labs/coreth",
        "cde9154e68214f6a0763801436bc5bb76a26a50a",
        r"^internal/ethapi/testdata/",
        {"block": 4, "header": 4, "transaction": 1, "receipt": 6, "log": 1},
        chain_id=43114,
    ),
    Corpus(
        "kaiachain/kaia",
        "c26bba73a086d507775df141ae7d53a37260315a",
        r"^api/.*_test\.go$",
        {"block": 2, "header": 1, "transaction": 26},
        chain_id=8217,
    ),
    Corpus(
        "Consensys/linea-monorepo",
        "cb180134d7b7904ca588e6d99264b7b10fe06929",
        r"^jvm-libs/|^testdata/",
        {"transaction": 8, "log": 35},
        chain_id=59144,
    ),
    Corpus(
        "hiero-ledger/hiero-json-rpc-relay",
        "8126956979606a8f000b71fdcbe9a1c91c9b70f6",
        r"^tests/server/acceptance/data/conformity/(?!.*get-hapi-receipt).*\.io$",
        {"block": 6, "transaction": 14, "receipt": 4},
        chain_id=295,
    ),
    Corpus(
        "sei-protocol/sei-chain",
        "73f917bbd46f8f6cad3d48d419b06cec343cc4c7",
        r"^integration_test/evm_module/rpc_io_test/",
        {"block": 7, "transaction": 11, "receipt": 14, "log": 27},
        chain_id=1329,
    ),
    Corpus(
        "matter-labs/zksync-era",
        "3e29e4a08d2e746c3eac0098f5e9bb3a5b3945aa",
        r"^core/lib/(basic_types|types|web3_decl)/.*\.rs$",
        {"block": 2},
        chain_id=324,
    ),
    Corpus(
        "scroll-tech/go-ethereum",
        "c88cc480b01c45e53ec5a024a2f2d25434ad1f79",
        r"^(ethclient|internal/ethapi|rollup/.*testdata)/",
        {"header": 4, "transaction": 4},
        chain_id=534352,
    ),
)

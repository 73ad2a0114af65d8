"""Faults as values and as text, and when they are triggered."""

import pytest

from txtrack_devnode import Chain, DevelopmentNode, FaultInjector
from txtrack_devnode.faults import (
    KINDS,
    CallError,
    FrozenHead,
    Hang,
    Indexing,
    MethodNotFound,
    RateLimit,
    SlowAnswer,
    StaleNull,
    WrongChainId,
    describe,
    parse,
)
from txtrack_devnode.faults.kind import Call, Fault
from txtrack_devnode.rpc import RpcError

from .support import Ask

HASH = "0x" + "ab" * 32


@pytest.fixture
def faults() -> FaultInjector:
    return FaultInjector(Chain(), seed=7)


def triggered(faults: FaultInjector, count: int, method: str = "eth_call") -> list[bool]:
    """Return for each of ``count`` calls whether the fault applied."""
    results = []
    for _ in range(count):
        try:
            faults.call(Call(method, []), lambda: "0x", Chain())
            results.append(False)
        except RpcError:
            results.append(True)
    return results


@pytest.mark.parametrize("kind", KINDS)
def test_text_of_every_fault_is_parsed_to_an_equal_fault(kind: type[Fault]) -> None:
    assert parse(kind.name) == kind()
    assert describe(kind()) == kind.name

    chosen = kind(times=3, probability=0.25, about=HASH)
    assert describe(chosen) == f"{kind.name}:times=3,probability=0.25,about={HASH}"
    assert parse(describe(chosen)) == chosen


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("rate-limit:p=0.5,retry_after=2", RateLimit(probability=0.5, retry_after=2)),
        ("rate-limit:retry_after=2,as_date=true", RateLimit(retry_after=2, as_date=True)),
        ("slow-answer:seconds=0.5", SlowAnswer(seconds=0.5)),
        ("wrong-chain-id:chain_id=5", WrongChainId(chain_id=5)),
        ("call-error:code=-32005,message=slow down", CallError(code=-32005, message="slow down")),
        (
            "method-not-found:methods=eth_call+eth_getBlockReceipts",
            MethodNotFound(methods=frozenset({"eth_call", "eth_getBlockReceipts"})),
        ),
        (f"stale-null:about={HASH.upper().replace('X', 'x')}", StaleNull(about=HASH)),
        (f"frozen-head:at={HASH}", FrozenHead(at=HASH)),
    ],
)
def test_options_are_parsed(text: str, fault: Fault) -> None:
    assert parse(text) == fault
    assert parse(describe(fault)) == fault


WRONG = [
    ("", "a fault must be one of stale-null, "),
    ("rate-limits", "got 'rate-limits'"),
    ("hang:p", "probability must be a number from 0 to 1, got ''"),
    ("hang:p=often", "probability must be a number from 0 to 1, got 'often'"),
    ("hang:p=1.5", "probability must be a number from 0 to 1, got 1.5"),
    ("hang:p=nan", "probability must be a number from 0 to 1, got nan"),
    ("hang:times=0", "times must be a whole number of 1 or more, got 0"),
    ("hang:times=1.5", "times must be a whole number"),
    ("hang:seconds=1", "hang has the options times, probability, methods, about (p is short"),
    ("hang:times=1,times=2", "each option can be given only once"),
    ("hang:about=0x12", "about must be a hash"),
    ("hang:methods=", "methods must be names of methods"),
    ("hang:methods=dev_clear", "without dev_ and evm_ methods"),
    ("stale-null:methods=eth_call", "methods must be some of eth_getBlockByHash+"),
    ("slow-answer:seconds=inf", "seconds must be seconds from 0 to 86400"),
    ("slow-answer:seconds=-1", "seconds must be seconds from 0"),
    ("rate-limit:retry_after=1.5", "retry_after must be whole seconds"),
    ("rate-limit:as_date=yes", "as_date must be true or false, got 'yes'"),
    ("server-failure:status=404", "status must be a whole number from 500 to 599, got 404"),
    ("cut-off:share=1", "share must be a number from 0 to 0.99"),
    ("lagging-head:blocks=0", "blocks must be a whole number from 1"),
    ("call-error:message=", "message must be 1 to 200 printable characters"),
    ("x" * 1_001, "at most 1000 characters, got 1001"),
]


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_invalid_text_is_an_error_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"(?s).") as error:
        parse(text)

    assert words in str(error.value)


def test_options_are_checked_in_python() -> None:
    with pytest.raises(ValueError, match="hang: times must be a whole number of 1 or more, got -1"):
        Hang(times=-1)


def test_fault_with_times_is_triggered_that_many_times(faults: FaultInjector) -> None:
    faults.inject(CallError(times=2))

    assert triggered(faults, 4) == [True, True, False, False]
    assert faults.active == {}
    assert faults.counts == {"call-error": 2}


def test_probability_depends_on_the_seed() -> None:
    runs = []
    for seed in (7, 7, 8):
        faults = FaultInjector(Chain(), seed)
        faults.inject(CallError(probability=0.5))
        runs.append(triggered(faults, 100))

    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    assert 20 < sum(runs[0]) < 80


def test_another_fault_does_not_change_the_random_numbers_of_the_first(
    faults: FaultInjector,
) -> None:
    sometimes = CallError(probability=0.5, methods=frozenset({"eth_call"}))
    both = FaultInjector(Chain(), seed=7)
    for injector in (faults, both):
        injector.inject(sometimes)
    both.inject(Indexing(probability=0.5))

    alone = triggered(faults, 50)
    beside = []
    for _ in range(50):
        triggered(both, 1, "eth_getTransactionByHash")
        beside += triggered(both, 1)

    assert alone == beside
    assert both.counts["indexing"] > 0


def test_every_fault_has_its_own_random_numbers(faults: FaultInjector) -> None:
    for method in ("eth_call", "eth_gasPrice"):
        faults.inject(CallError(probability=0.5, methods=frozenset({method})))

    assert triggered(faults, 50, "eth_call") != triggered(faults, 50, "eth_gasPrice")


def test_fault_applies_only_to_its_methods(faults: FaultInjector) -> None:
    faults.inject(MethodNotFound(methods=frozenset({"eth_call"})))

    assert triggered(faults, 1, "eth_call") == [True]
    assert triggered(faults, 1, "eth_gasPrice") == [False]


def test_faults_are_cleared_by_number_or_all_at_once(faults: FaultInjector) -> None:
    first, second = faults.inject(CallError()), faults.inject(MethodNotFound())

    assert faults.clear(first) == 1
    assert dict(faults.active) == {second: MethodNotFound()}
    assert faults.clear(first) == 0
    assert faults.clear() == 1
    assert faults.active == {}


def test_log_has_every_trigger(faults: FaultInjector) -> None:
    number = faults.inject(CallError(times=2))
    faults.begin()
    triggered(faults, 1)
    faults.begin()
    faults.begin()
    triggered(faults, 2, "eth_gasPrice")

    assert [(entry.number, entry.exchange, entry.method) for entry in faults.log] == [
        (1, 1, "eth_call"),
        (2, 3, "eth_gasPrice"),
    ]
    assert {(entry.fault, entry.name) for entry in faults.log} == {(number, "call-error")}


def test_used_up_faults_do_not_count_for_the_limit(faults: FaultInjector) -> None:
    for _ in range(2_000):
        faults.inject(CallError(times=1))
        assert triggered(faults, 1) == [True]

    assert triggered(faults, 1) == [False]
    assert faults.clear() == 0


def test_too_many_faults_are_an_error(faults: FaultInjector) -> None:
    for _ in range(1_000):
        faults.inject(CallError())

    with pytest.raises(ValueError, match="at most 1000 faults at once: clear some first"):
        faults.inject(CallError())


async def test_control_methods_inject_and_clear_faults(node: DevelopmentNode, ask: Ask) -> None:
    first = await ask("dev_inject", "wrong-chain-id:chain_id=5")
    second = await ask("dev_inject", "stale-null:p=0.5")
    assert await ask("eth_chainId") == "0x5"

    assert await ask("dev_faults") == {
        str(first): "wrong-chain-id:chain_id=5",
        str(second): "stale-null:probability=0.5",
    }
    told = await ask("dev_injected")
    assert told["counts"] == {"wrong-chain-id": 1}
    entry = {"number": 1, "exchange": 1, "fault": first, "name": "wrong-chain-id"}
    assert told["log"] == [entry | {"method": "eth_chainId"}]
    assert (await ask("dev_injected", 1))["log"] == []

    assert await ask("dev_clear", first) == 1
    assert await ask("eth_chainId") == "0x7a69"
    assert await ask("dev_clear") == 1
    assert node.faults.active == {}


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("dev_inject", ["rate-limits"], "a fault must be one of stale-null"),
        ("dev_inject", [{"name": "hang"}], "the fault must be a string"),
        ("dev_inject", [], "missing value for required argument 0 (fault)"),
        ("dev_inject", [f"frozen-head:at={HASH}"], f"no block has the hash {HASH}"),
        ("dev_clear", ["all"], "the fault's number must be 0x"),
        ("dev_injected", [None], "the number must be 0x"),
    ],
)
async def test_invalid_control_calls_are_errors(
    ask: Ask, method: str, params: list[object], words: str
) -> None:
    error = await ask(method, *params)

    assert error["code"] == -32602
    assert words in error["message"]

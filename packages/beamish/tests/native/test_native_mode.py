"""The library with its native core does what it does without it."""

import pytest

from .conftest import PACKAGE, Run

pytestmark = pytest.mark.native

HERE = PACKAGE / "tests" / "native"
CONFORMANCE = PACKAGE / "tests" / "conformance"

# Those that reach every path of the core. `make test-all` runs the others with it, too.
REACHING = (
    "test_client_and_dispatch.py",
    "test_every_way_to_call.py",
    "test_gen_server_cast_and_info.py",
    "test_many_in_a_turn.py",
    "test_process_fairness.py",
    "test_process_hostile_values.py",
    "test_process_order.py",
    "test_process_other_loop.py",
    "test_regressions_servers.py",
)


@pytest.mark.slow
@pytest.mark.parametrize("file", REACHING)
def test_conformance_holds_with_the_core(run: Run, file: str) -> None:
    ran = run("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(CONFORMANCE / file))

    assert ran.returncode == 0, ran.stdout[-3000:]
    assert " passed" in ran.stdout


@pytest.mark.slow
def test_every_allocation_can_fail(run: Run) -> None:
    pytest.importorskip("_testcapi")

    ran = run(str(HERE / "without_memory.py"))

    assert ran.returncode == 0, ran.stderr[-3000:]
    failures = dict(line.rsplit(" ", 1) for line in ran.stdout.splitlines())
    assert len(failures) == 6
    assert all(int(count) > 0 for count in failures.values()), failures


@pytest.mark.slow
def test_no_path_leaks_memory(run: Run) -> None:
    ran = run(str(HERE / "leaks.py"), "8")

    assert ran.returncode == 0, ran.stdout + ran.stderr[-3000:]
    assert len(ran.stdout.splitlines()) == 5


@pytest.mark.slow
def test_server_that_a_finalizer_kills_does_not_reply(run: Run) -> None:
    ran = run(str(HERE / "finalizers.py"))

    assert ran.returncode == 0, ran.stderr[-3000:]
    assert "killed before the call" in ran.stdout

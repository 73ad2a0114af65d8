"""Loading: the file, variables that override it, and flags that override both."""

from collections.abc import Callable
from pathlib import Path

import pytest

from transaction_tracker.settings import Configuration, ConfigurationError, Flags, load

Written = Callable[[str], Path]


def test_defaults_apply_without_a_source() -> None:
    assert load() == Configuration()


def test_default_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "txtrack.toml").write_text("[web]\nport = 81")

    assert load().web.port == 81


def test_file_of_the_variable_is_read(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TXTRACK_CONFIG", str(written("[web]\nport = 82")))

    assert load().web.port == 82


def test_given_file_overrides_that_of_the_variable(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TXTRACK_CONFIG", "nowhere.toml")

    assert load(written("[web]\nport = 83")).web.port == 83


def test_variables_override_the_file_and_flags_override_variables(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written('[web]\nhost = "::1"\nport = 1\n[logs]\nlevel = "error"\n')
    monkeypatch.setenv("TXTRACK_WEB__PORT", "2")
    monkeypatch.setenv("TXTRACK_LOGS__LEVEL", "debug")

    configuration = load(path, Flags({("web", "port"): ("3", "--port")}))

    assert configuration.web.host == "::1"
    assert configuration.web.port == 3
    assert configuration.logs.level == "debug"


def test_empty_variable_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TXTRACK_WEB__PORT", "")

    assert load() == Configuration()


def test_variable_sets_one_key_of_one_provider(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written('[[providers]]\nurl = "http://a"\n[[providers]]\nurl = "http://b"\n')
    monkeypatch.setenv("TXTRACK_PROVIDERS__1__URL", "http://c")

    assert [str(one.url) for one in load(path).providers] == ["http://a", "http://c"]


def test_list_in_a_variable_overrides_that_of_the_file(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written('[[providers]]\nurl = "http://a"\n[[providers]]\nurl = "http://b"\n')
    monkeypatch.setenv("TXTRACK_PROVIDERS", '[{"url": "http://c"}]')

    assert [str(one.url) for one in load(path).providers] == ["http://c"]


@pytest.mark.parametrize("text", ["10.0.0.0/8, fd00::/8", '["10.0.0.0/8", "fd00::/8"]'])
def test_list_of_words_in_a_variable(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TXTRACK_WEBHOOKS__ALLOW_PRIVATE", text)

    assert load().webhooks.allow_private == ("10.0.0.0/8", "fd00::/8")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30), ('"30"', 30), ('"250ms"', 0.25), ('"1.5 m"', 90), ('"2h"', 7200), ('"1d"', 86400)],
)
def test_durations(written: Written, text: str, seconds: float) -> None:
    assert load(written(f"[source]\nstuck_after = {text}")).source.stuck_after == seconds


@pytest.mark.parametrize("confirmations", [1, 10_000, "safe", "finalized"])
def test_confirmations_are_a_number_or_a_tag(
    monkeypatch: pytest.MonkeyPatch, confirmations: object
) -> None:
    monkeypatch.setenv("TXTRACK_SOURCE__CONFIRMATIONS", str(confirmations))

    assert load().source.confirmations == confirmations


def test_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Configuration().web.port = 1


def test_error_contains_every_problem(written: Written) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(written("[web]\nport = 70000\n[logs]\nlevel = 3\n"))

    assert [problem.key for problem in caught.value.problems] == ["web.port", "logs.level"]
    assert all(problem.key in str(caught.value) for problem in caught.value.problems)

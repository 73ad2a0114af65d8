"""``[shard]`` and ``[router]``: a service of several shards in one configuration."""

from collections.abc import Callable
from pathlib import Path

import pytest

from transaction_tracker.settings import Configuration, ConfigurationError, load
from transaction_tracker.settings.convert import application_settings
from transaction_tracker.store.url import DatabaseUrl

Written = Callable[[str], Path]

BASE = """
[[providers]]
url = "https://one.example"

[database]
url = "postgresql://user:secret@host/name"
"""


def problem(path: Path) -> str:
    """Return the only problem of a configuration."""
    with pytest.raises(ConfigurationError) as caught:
        application_settings(load(path))
    (found,) = caught.value.problems
    return str(found)


def shown(urls: tuple[DatabaseUrl, ...]) -> list[str]:
    return [str(url).rpartition(" ")[2] for url in urls]


def test_shard_uses_its_own_schema(written: Written) -> None:
    configuration = load(written(f"{BASE}\n[shard]\nnumber = 2\ncount = 4\nformer_counts = [2]"))

    settings = application_settings(configuration)

    assert settings.database == configuration.database_url
    assert str(configuration.database_url.shard) == "2/4,2"
    assert shown(configuration.databases) == ["txtrack_2"]
    assert shown(configuration.all_databases) == [f"txtrack_{number}" for number in range(4)]


def test_command_without_a_number_works_on_all_shards(written: Written) -> None:
    configuration = load(written(f"{BASE}\n[shard]\ncount = 2"))

    assert shown(configuration.databases) == ["txtrack_0", "txtrack_1"]


def test_service_without_shards_uses_the_database_as_it_is(written: Written) -> None:
    configuration = load(written(BASE))

    assert configuration.database_url is configuration.database.url
    assert configuration.databases == configuration.all_databases == (configuration.database.url,)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("[shard]\nnumber = 0", "shard.number requires shard.count, the number of all shards"),
        ("[shard]\ncount = 4", "shard.number is required for shard.count = 4: 0 to 3"),
        ("[shard]\nnumber = 4\ncount = 4", "shard.number must be lower than shard.count = 4"),
        ("[shard]\nnumber = 0\ncount = 129", "shard.count must be a number, 1 to 128, got 129"),
        (
            "[shard]\nnumber = 0\ncount = 4\nformer_counts = [8]",
            "shard.former_counts does not fit shard.count = 4",
        ),
        ("[router]\nformer_counts = [8]", "router.former_counts requires router.shards"),
        (
            '[router]\nshards = ["http://a.example", ["http://b.example", "http://a.example"]]',
            "router.shards must name each URL once",
        ),
        (
            '[router]\nshards = ["http://user:hidden@a.example"]',
            "router.shards must be a list with up to 8 URLs for each shard",
        ),
        ("[router]\nshards = [[]]", "router.shards must be a list with up to 8 URLs"),
    ],
)
def test_wrong_shards_are_refused(table: str, expected: str, written: Written) -> None:
    found = problem(written(f"{BASE}\n{table}"))

    assert expected in found
    assert "hidden@" not in found


def test_shard_of_a_file_is_refused(written: Written) -> None:
    text = BASE.replace("postgresql://user:secret@host/name", "some.db")

    assert "shard.count requires a PostgreSQL database: set database.url to" in problem(
        written(f"{text}\n[shard]\nnumber = 0\ncount = 4")
    )


@pytest.mark.parametrize(
    ("text", "shards"),
    [
        (
            '["http://a.example/", ["http://b.example", "http://c.example"]]',
            (("http://a.example",), ("http://b.example", "http://c.example")),
        ),
        ('["http://a.example"]', (("http://a.example",),)),
    ],
)
def test_urls_of_shards_can_be_in_a_variable(
    text: str, shards: object, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TXTRACK_ROUTER__SHARDS", text)
    monkeypatch.setenv("TXTRACK_SHARD__FORMER_COUNTS", "2")
    monkeypatch.setenv("TXTRACK_SHARD__COUNT", "4")

    configuration = load(written(BASE))

    assert configuration.router.shards == shards
    assert configuration.shard.former_counts == (2,)


def test_default_has_no_shards() -> None:
    configuration = Configuration()

    assert configuration.shard.all == ()
    assert configuration.router.shards == ()

"""Client commands find the service by file, variables and flags, which override in this order."""

from pathlib import Path

import pytest

from transaction_tracker.cli import main
from transaction_tracker.cli.client import Api
from transaction_tracker.cli.exits import BadInputError
from transaction_tracker.cli.flags import ServiceFlags

TOKEN = "txt_1_s3cret"
OTHER = "txt_2_other"


def configure(text: str, path: str = "txtrack.toml") -> None:
    Path(path).write_text(text)


def token_of(api: Api) -> str | None:
    header = api._headers.get("Authorization")
    return header and header.removeprefix("Bearer ")


def test_default_service_is_on_this_machine() -> None:
    api = ServiceFlags().api()

    assert str(api.url) == "http://127.0.0.1:8080"
    assert token_of(api) is None


@pytest.mark.parametrize(
    ("web", "url"),
    [
        ("port = 9000", "http://127.0.0.1:9000"),
        ('host = "0.0.0.0"\nport = 9000', "http://127.0.0.1:9000"),
        ('host = "::"', "http://[::1]:8080"),
        ('host = "192.0.2.7"', "http://192.0.2.7:8080"),
    ],
)
def test_service_of_the_same_file_is_found(web: str, url: str) -> None:
    configure(f"[web]\n{web}\n")

    assert str(ServiceFlags().api().url) == url


def test_later_source_overrides_an_earlier_one(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = [str(ServiceFlags().api().url)]
    configure("[web]\nport = 1001\n")
    seen.append(str(ServiceFlags().api().url))
    configure('[web]\nport = 1001\n[client]\nurl = "http://h:1002"\n')
    seen.append(str(ServiceFlags().api().url))
    monkeypatch.setenv("TXTRACK_CLIENT__URL", "http://h:1003")
    seen.append(str(ServiceFlags().api().url))
    seen.append(str(ServiceFlags(url="http://h:1004").api().url))

    assert [url.rpartition(":")[2] for url in seen] == [*("8080", "1001", "1002", "1003", "1004")]


@pytest.mark.parametrize(("arguments", "port"), [([], 1), (["--url", "http://127.0.0.1:2"], 2)])
def test_variable_and_flag_set_the_service(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    port: int,
) -> None:
    configure("[web]\nport = 3\n")
    monkeypatch.setenv("TXTRACK_URL", "http://127.0.0.1:1")

    assert main(["ls", *arguments]) == 6

    assert f"no service at http://127.0.0.1:{port}:" in capsys.readouterr().err


def test_flag_and_variable_set_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    configure("[web]\nport = 1001\n")
    configure("[web]\nport = 1002\n", "other.toml")
    configure("[web]\nport = 1003\n", "third.toml")
    monkeypatch.setenv("TXTRACK_CONFIG", "other.toml")

    assert ServiceFlags().api().url.port == 1002
    assert ServiceFlags(config=Path("third.toml")).api().url.port == 1003


def test_given_token_overrides_that_of_the_file() -> None:
    configure(f'[client]\ntoken = "{TOKEN}"\n')

    assert token_of(ServiceFlags().api()) == TOKEN
    assert token_of(ServiceFlags(token=OTHER).api()) == OTHER


def test_token_of_the_file_is_not_sent_to_another_service() -> None:
    configure(f'[client]\ntoken = "{TOKEN}"\n')

    assert token_of(ServiceFlags(url="http://h:1").api()) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[web]\nport = 0\n", "web.port is 0, so the service listens on any free port"),
        ("[web]\nprt = 1\n", "did you mean port?"),
        ("oops", "invalid TOML"),
        ('[client]\nurl = "http://me:s3cret@h"\n', "client.url must be an address such as"),
        ('[client]\nurl = "ftp://h"\n', "client.url must be an address such as"),
        ('[client]\ntoken = "s3cret s3cret"\n', "client.token must be a token"),
        ('[client]\ntoken = ""\n', "client.token must be a token"),
        ("[client]\ntoken = 5\n", "client.token must be a token"),
    ],
)
def test_invalid_configuration_is_explained(text: str, words: str) -> None:
    configure(text)

    with pytest.raises(BadInputError) as caught:
        ServiceFlags().api()

    assert words in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_file_is_not_read_with_a_url() -> None:
    configure("oops")

    assert ServiceFlags(url="http://h:1").api().url.port == 1


def test_token_is_never_printed(capsys: pytest.CaptureFixture[str]) -> None:
    configure(f'[client]\ntoken = "{TOKEN}"\n')

    for arguments in (["config", "show"], ["config", "show", "--json"], ["doctor"], ["ls"]):
        main(arguments)

    printed = capsys.readouterr()
    assert "…" in printed.out
    assert "s3cret" not in printed.out + printed.err


def test_doctor_warns_about_a_readable_token(capsys: pytest.CaptureFixture[str]) -> None:
    configure(f'[client]\ntoken = "{TOKEN}"\n')
    Path("txtrack.toml").chmod(0o644)

    main(["doctor"])

    assert "other users of this machine can read it" in capsys.readouterr().out

import pytest

from transaction_tracker.sources.ethereum import SecretUrl
from transaction_tracker.sources.ethereum.url import WEBSOCKET

SECRET = "s3cret-project-key"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (f"https://mainnet.example.org/v3/{SECRET}", "https://mainnet.example.org/…"),
        (f"https://user:{SECRET}@node.example.org", "https://node.example.org"),
        (f"http://node.example.org:8545/?apikey={SECRET}", "http://node.example.org:8545/…"),
        ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
        ("http://[::1]:8545", "http://[::1]:8545"),
    ],
)
def test_only_scheme_host_and_port_are_printed(given: str, shown: str) -> None:
    url = SecretUrl(given)

    assert str(url) == f"{url}" == shown
    assert repr(url) == f"SecretUrl({shown!r})"
    assert str(url.reveal()).startswith(given.rstrip("/")[:20])


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nonsense",
        f"ftp://host/{SECRET}",
        f"http:///{SECRET}",
        f"http://host:port/{SECRET}",
        f"http://host:4_43/{SECRET}",
        f"http://host:+443/{SECRET}",
        f"http://[v1.x]/{SECRET}",
    ],
)
def test_invalid_url_is_refused_without_repeating_it(given: str) -> None:
    with pytest.raises(ValueError, match="must look like http://host:port") as caught:
        SecretUrl(given)

    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "secret", ["user-key", "pass-word", "path-key", "query-key", "second-key", "bare-key"]
)
def test_repeated_key_is_redacted(secret: str) -> None:
    url = SecretUrl(
        "https://user-key:pass-word@host/v3/path-key?key=query-key&key=second-key&bare-key"
    )

    assert url.redact(f"project {secret} is over its limit") == "project … is over its limit"


def test_key_that_starts_with_another_key_is_redacted_completely() -> None:
    url = SecretUrl("https://host/abcdefgh?key=abcdefgh-longer")

    assert url.redact("abcdefgh and abcdefgh-longer") == "… and …"


def test_equal_urls_are_equal() -> None:
    assert SecretUrl("http://host:1") == SecretUrl("http://host:1") != SecretUrl("http://host:2")
    assert hash(SecretUrl("http://host:1")) == hash(SecretUrl("http://host:1"))
    assert SecretUrl.of(SecretUrl("http://host:1")) == SecretUrl.of("http://host:1")


def test_websocket_url_needs_a_websocket_scheme() -> None:
    url = SecretUrl(f"wss://node.example.org/{SECRET}", WEBSOCKET)

    assert str(url) == "wss://node.example.org/…"
    assert SecretUrl.of(url, WEBSOCKET) is url
    with pytest.raises(ValueError, match="must look like ws://host:port or wss://host/key"):
        SecretUrl(f"https://node.example.org/{SECRET}", WEBSOCKET)
    with pytest.raises(ValueError, match="must look like http://host:port") as caught:
        SecretUrl.of(url)
    assert SECRET not in str(caught.value)


def test_host_contains_no_secret() -> None:
    assert (
        SecretUrl(f"https://user:{SECRET}@node.example.org/v3/{SECRET}").host == "node.example.org"
    )


def test_key_is_redacted_in_each_encoding() -> None:
    url = SecretUrl("https://host/my%20secret%2Fkey")

    assert url.redact("my secret/key and my%20secret%2Fkey") == "… and …"


@pytest.mark.parametrize(
    "address",
    [
        "https://my%20key%2F1@host/",
        "https://user:my%20key%2F1@host/",
        "https://host/?key=my%20key%2F1",
        "https://host/?my%20key%2F1",
    ],
)
def test_key_in_each_part_is_redacted_as_written_and_decoded(address: str) -> None:
    url = SecretUrl(address)

    assert url.redact("my key/1 and my%20key%2F1") == "… and …"

"""Which URLs are allowed, with each known way around the rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transaction_tracker.net import AllowList, ForbiddenUrlError, checked_url

NONE = AllowList()
LOCAL = AllowList.of(["127.0.0.0/8", "::1", "hooks.internal"])


WRONG = [
    "https://[v1.x]/",
    "https://[v1.x:y]/",
    "https://example.com:4_43/",
    "https://example.com:+443/",
    "https://example.com:\u0664\u0664\u0663/",
    "https://example.com:\uff14\uff14\uff13/",
    "https://example.com:000443/",
    "https://[2606:4700::1111]x:443/",
    "http://example.com/",  # no TLS
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "//example.com/",
    "example.com",
    "https://",
    "https:///path",
    "https://user@example.com/",
    "https://user:password@example.com/",
    "https://@example.com/",
    "https://example.com@127.0.0.1/",
    "https://127.0.0.1#@example.com/",
    "https://example.com/#fragment",
    "https://example.com/#",
    "https://127.0.0.1/",
    "https://127.0.0.1./",
    "https://127.1/",
    "https://127.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://00000127.0.0.1/",
    "https://127.0.0.1.0x0/",
    "https://0/",
    "https://0x/",
    "https://256.1.1.1/",
    "https://1.2.3.4.5/",
    "https://127.0.0.1:443/",
    "https://①②⑦.⓪.⓪.①/",
    "https://\uff11\uff12\uff17.\uff10.\uff10.\uff11/",
    "https://127。0。0。1/",
    "https://[::1]/",
    "https://[::]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::127.0.0.1]/",
    "https://[2002:7f00:1::]/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[2606:4700::1111%251]/",
    "https://[fd00:ec2::254]/",
    "https://169.254.169.254/latest/meta-data/",
    "https://2852039166/latest/meta-data/",
    "https://metadata.google.internal/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://localhost../",
    "https://app.localhost/",
    "https://ⓛocalhost/",
    "https://loc%61lhost/",
    "https://printer.local/",
    "https://hooks.internal/",
    "https://exa mple.com/",
    "https://example.com/a b",
    "https://example.com\\@127.0.0.1/",
    "https://example.com/\r\nHost: other",
    "https://example.com/\t",
    "\x00https://example.com/",
    "https://exam\u00adple.com:99999/",
    "https://example..com/",
    "https://.example.com/",
    "https://-example.com/",
    "https://xn--/",
    "https://example.com:0/",
    "https://example.com:22/",
    "https://example.com:25/",
    "https://example.com:80/",
    "https://example.com:65536/",
    "https://example.com:-1/",
    "https://example.com:https/",
    f"https://{'a' * 64}.com/",
    f"https://{'a.' * 130}com/",
    f"https://example.com/{'a' * 2_048}",
    "",
    " ",
]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("https://example.com/hook", "https://example.com/hook"),
        ("HTTPS://EXAMPLE.COM/Hook?a=B", "https://example.com/Hook?a=B"),
        ("https://example.com./", "https://example.com/"),
        ("https://example.com:8443/", "https://example.com:8443/"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://8.8.8.8/", "https://8.8.8.8/"),
        ("https://[2606:4700::1111]/", "https://[2606:4700::1111]/"),
        ("https://127.0.0.1.example.com/", "https://127.0.0.1.example.com/"),
    ],
)
def test_public_urls_are_allowed_and_normalized(text: str, form: str) -> None:
    assert str(checked_url(text, NONE)) == form


@pytest.mark.parametrize("text", WRONG)
def test_known_bypasses_are_refused(text: str) -> None:
    with pytest.raises(ForbiddenUrlError) as caught:
        checked_url(text, NONE)

    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:8080/",
        "http://127.0.0.1/",
        "http://127.0.0.1:81/",
        "https://127.9.9.9/",
        "http://[::1]:8080/",
        "http://hooks.internal/",
        "https://HOOKS.internal./",
    ],
)
def test_allow_list_permits_http_and_any_port(text: str) -> None:
    checked_url(text, LOCAL)


@pytest.mark.parametrize(
    "text",
    [
        "http://localhost/",
        "https://localhost/",
        "http://other.hooks.internal/",
        "http://10.0.0.1/",
        "http://example.com/",
        "http://0x7f.1/",
        "http://169.254.169.254/",
        "http://127.0.0.1:0/",
    ],
)
def test_allow_list_permits_nothing_else(text: str) -> None:
    with pytest.raises(ForbiddenUrlError):
        checked_url(text, LOCAL)


@pytest.mark.parametrize(
    "text",
    [
        "http://u:hunter2@example.com/",
        "https://10.0.0.1/hunter2",
        "https://h\x01/hunter2",
        "hunter2",
    ],
)
def test_refusal_does_not_repeat_the_url(text: str) -> None:
    with pytest.raises(ForbiddenUrlError) as caught:
        checked_url(text, NONE)

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("wrong", [None, 7, b"https://example.com/", ["https://example.com/"]])
def test_value_that_is_not_text_is_refused(wrong: object) -> None:
    with pytest.raises(ForbiddenUrlError):
        checked_url(wrong, NONE)  # type: ignore[arg-type]


@given(st.text(max_size=60), st.sampled_from(["", "https://", "http://", "https://[", "https://1"]))
def test_any_text_is_a_checked_url_or_refused(text: str, start: str) -> None:
    try:
        url = checked_url(start + text, NONE)
    except ForbiddenUrlError:
        return

    assert url.scheme == "https"
    assert url.user is None
    # Its own form is itself: what was checked is what is asked.
    assert checked_url(str(url), NONE) == url

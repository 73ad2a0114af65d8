"""Who can read, who can act, and what every response carries."""

from pathlib import Path
from typing import Any

import pytest

from beamish import process
from beamish.observer import ObserverApp
from beamish.observer.access import is_loopback
from beamish.observer.static import OBSERVER, POLICY, SHARED, with_shared

from .conftest import Observe
from .support import TOKEN, act, ask


@pytest.mark.parametrize(
    "host", ["127.0.0.1:{}", "localhost:{}", "[::1]:{}", "127.9.9.9", "LOCALHOST"]
)
async def test_loopback_names_are_admitted_without_a_token(observe: Observe, host: str) -> None:
    url = await observe()
    port = url.rstrip("/").rpartition(":")[2]

    assert (await ask(url, "api/session", Host=host.format(port))).status == 200


@pytest.mark.parametrize(
    "host",
    ["attacker.example", "127.0.0.1.attacker.example", "", "10.0.0.1", "[::1].attacker.example"],
)
async def test_other_names_are_refused_without_a_token(observe: Observe, host: str) -> None:
    url = await observe()

    for path in ("", "api/session", "events?view=overview"):
        found = await ask(url, path, Host=host)
        assert found.status == 403
        assert "localhost only" in found.json["error"]


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_page_of_another_site_cannot_make_the_observer_work(
    observe: Observe, site: str
) -> None:
    url = await observe()

    for path in ("api/processes", "events?view=overview"):
        found = await ask(url, path, Sec_Fetch_Site=site)
        assert found.status == 403
        assert "own page" in found.json["error"]
    # A link on another site can lead to the page, which contains no data.
    assert (await ask(url, "", Sec_Fetch_Site=site)).status == 200
    assert (await ask(url, "api/session", Sec_Fetch_Site="same-origin")).status == 200


async def test_root_path_that_is_a_part_of_a_path_needs_the_token_all_the_same() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/api/session",
        "root_path": "/a",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
    }
    await ObserverApp(token=TOKEN)(scope, receive, send)

    assert sent[0]["status"] == 401


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer a-token-for-the-test", f"Basic {TOKEN}", TOKEN]
)
@pytest.mark.parametrize("path", ["api/session", "api/processes", "events?view=overview"])
async def test_wrong_token_is_refused(observe: Observe, authorization: str, path: str) -> None:
    url = await observe(token=TOKEN)

    found = await ask(url, path, Authorization=authorization)

    assert found.status == 401
    assert found.headers["www-authenticate"] == "Bearer"
    assert TOKEN.encode() not in found.body


async def test_token_is_accepted_from_any_name(observe: Observe) -> None:
    url = await observe(token=TOKEN)

    found = await ask(url, "api/session", Authorization=f"Bearer {TOKEN}", Host="shop.example")

    assert found.status == 200


async def test_page_itself_needs_no_token(observe: Observe) -> None:
    url = await observe(token=TOKEN)

    found = await ask(url, "")

    assert found.status == 200
    assert found.headers["content-security-policy"] == POLICY
    assert b"<title>beamish observer</title>" in found.body


async def test_page_asks_for_nothing_of_another_site(observe: Observe) -> None:
    for name, (content, _) in OBSERVER.items():
        outside = [line for line in content.split(b"\n") if b"://" in line]
        known = (b"http://www.w3.org/2000/svg", b'partition("://")')
        assert [line for line in outside if not any(one in line for one in known)] == [], name
    assert b"<script>" not in OBSERVER["index.html"][0]
    assert b"style=" not in OBSERVER["index.html"][0]


async def test_policy_allows_no_html_from_text_and_no_other_site() -> None:
    assert "default-src 'none'" in POLICY
    assert "require-trusted-types-for 'script'" in POLICY
    assert "unsafe" not in POLICY


@pytest.mark.parametrize("path", ["", "assets/main.js", "assets/none.js", "api/session", "none"])
async def test_every_response_has_the_safe_headers(observe: Observe, path: str) -> None:
    found = await ask(await observe(), path)

    assert found.headers["x-content-type-options"] == "nosniff"
    assert found.headers["x-frame-options"] == "DENY"
    assert found.headers["cross-origin-resource-policy"] == "same-origin"
    assert found.headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in found.headers["content-security-policy"]


@pytest.mark.parametrize("name", ["../app.py", "..%2fapp.py", "%2e%2e/app.py", "index.html~"])
async def test_no_path_names_another_file(observe: Observe, name: str) -> None:
    assert (await ask(await observe(), f"assets/{name}")).status == 404


async def test_actions_are_off_by_default(observe: Observe) -> None:
    url = await observe()
    first = process.whereis("first")
    assert first is not None

    for action in ("kill", "stop", "restart", "suspend", "resume", "trace"):
        found = await act(url, first, action)
        assert found.status == 403
        assert "allow_actions=True" in found.json["error"]
    assert process.whereis("first") is first


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"X_Beamish_Action": ""}, "confirm the action with the header X-Beamish-Action: kill"),
        ({"X_Beamish_Action": "stop"}, "confirm the action with the header"),
        ({"Sec_Fetch_Site": "cross-site"}, "from the observer's own page only"),
        ({"Sec_Fetch_Site": "same-site"}, "from the observer's own page only"),
        ({"Origin": "https://attacker.example"}, "from the observer's own page only"),
        ({"Origin": "null"}, "from the observer's own page only"),
    ],
)
async def test_action_from_another_page_is_refused(
    observe: Observe, headers: dict[str, str], said: str
) -> None:
    url = await observe(token=TOKEN, allow_actions=True)  # a browser can have the token, too
    first = process.whereis("first")
    assert first is not None

    for action in ("kill", "trace"):
        sent = {"X_Beamish_Action": action, "Authorization": f"Bearer {TOKEN}", **headers}
        found = await act(url, first, action, **sent)
        assert found.status == 403
        assert said.replace("kill", action) in found.json["error"]
    assert process.whereis("first") is first


async def test_action_from_the_own_page_is_accepted(observe: Observe) -> None:
    url = await observe(allow_actions=True)
    first = process.whereis("first")
    assert first is not None

    found = await act(url, first, "kill", Sec_Fetch_Site="same-origin", Origin=url.rstrip("/"))

    assert found.status == 200


async def test_action_needs_the_method_post(observe: Observe) -> None:
    url = await observe(allow_actions=True)

    found = await ask(url, "api/process/first/kill", X_Beamish_Action="kill")

    assert found.status == 405
    assert process.whereis("first") is not None


@pytest.mark.parametrize("token", ["short", "x" * 15, "with a\nline break in it", "ü" * 20])
def test_weak_token_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(ValueError, match="at least 16 printable ASCII characters") as raised:
        ObserverApp(token=token)

    assert token not in str(raised.value)


def test_token_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match="token must be a string or None; got bytes"):
        ObserverApp(token=b"a-token-for-the-tests")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.1", False),
        ("shop.example", False),
        ("localhost.example", False),
    ],
)
def test_loopback_is_recognised(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_page_cannot_have_a_file_with_the_name_of_a_shared_file(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<!doctype html>")
    (tmp_path / "notes.txt~").write_text("a backup")
    found = with_shared(tmp_path)
    (tmp_path / "dom.js").write_text("// mine")

    assert found.keys() - SHARED.keys() == {"index.html"}
    with pytest.raises(ValueError, match=r"names of shared files; got dom\.js"):
        with_shared(tmp_path)

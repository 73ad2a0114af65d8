"""The dashboard's files: access, media types and content security policy."""

import re
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import pytest
from yarl import URL

from beamish.observer.static import SHARED
from transaction_tracker import api
from transaction_tracker.api.access import PUBLIC
from transaction_tracker.api.dashboard import FILES, OBSERVER_PATHS, PAGE
from transaction_tracker.api.documentation import STYLE
from transaction_tracker.domain import State

from .support import Client, make_token, serving

PACKAGE = Path(__file__).parents[2]
FOLDER = Path(api.__file__).parent / "assets"
MAX_FILE_LINES = 400
MIN_CONTRAST = 4.5
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}
# What would take text for HTML or code; the policy forbids it as well.
SINKS = (
    r"innerHTML|outerHTML|insertAdjacent|document\.write|setHTML|\beval\b|new Function|srcdoc"
    r"|DOMParser|createContextualFragment|\.cssText|location\.href|javascript:"
)


@pytest.fixture
async def closed() -> AsyncIterator[Client]:
    """An API with one token, which has the scope admin."""
    async with serving() as client:
        yield client.with_token(await make_token("admin"))


@pytest.mark.parametrize("path", sorted(FILES))
async def test_files_need_no_token_and_have_a_content_security_policy(
    closed: Client, path: str
) -> None:
    reply = await closed.with_token(None).get(path)

    assert reply.status == 200
    assert reply.body == FILES[path][0]
    assert reply.headers["content-type"] == FILES[path][1]
    policy = dict(one.split(" ", 1) for one in reply.headers["content-security-policy"].split("; "))
    assert policy == POLICY
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert reply.headers["x-frame-options"] == "DENY"
    assert reply.headers["cache-control"] == "no-store"


async def test_page_is_html_with_correct_media_types(client: Client) -> None:
    kinds = {path.rpartition(".")[2]: kind.partition(";")[0] for path, (_, kind) in FILES.items()}

    assert (await client.get(PAGE)).headers["content-type"] == "text/html; charset=utf-8"
    assert kinds == {
        "/": "text/html",
        "css": "text/css",
        "js": "text/javascript",
        "svg": "image/svg+xml",
    }


async def test_head_is_answered_without_a_body(closed: Client) -> None:
    for path in (PAGE, "/assets/main.js"):
        reply = await closed.with_token(None).ask("HEAD", path)

        assert (reply.status, reply.body) == (200, b"")
        assert int(reply.headers["content-length"]) == len(FILES[path][0])


@pytest.mark.parametrize(
    "path",
    [
        "/assets/nothing.js",
        "/assets/",
        "/assets",
        "/assets/index.html",
        "/assets/..%2fdashboard.py",
        "/assets/%2e%2e/access.py",
        "/assets/main.js/",
        "/index.html",
        "/favicon.ico",
    ],
)
async def test_unknown_files_are_404(closed: Client, path: str) -> None:
    url = URL(f"{closed.url}{path}", encoded=True)
    token = {"Authorization": f"Bearer {closed.token}"}

    async with closed.session.get(url) as nobody, closed.session.get(url, headers=token) as holder:
        assert (nobody.status, holder.status) == (401, 404)
        assert holder.content_type == "application/problem+json"


async def test_public_paths_are_exactly_the_listed_ones(closed: Client) -> None:
    nobody = closed.with_token(None)
    described = (await nobody.get("/openapi.json")).json["paths"]
    paths = [path.replace("{", "").replace("}", "") for path in described]
    opened = {path for path in paths if (await nobody.get(path)).status != 401}

    assert opened == {"/healthz", "/readyz"}
    pages = FILES.keys() | OBSERVER_PATHS
    assert PUBLIC - pages == {"/healthz", "/readyz", "/openapi.json", "/docs"}
    assert not [path for path in described if path in FILES or path.startswith("/assets")]


@pytest.mark.parametrize("path", [PAGE, "/assets/main.js", "/healthz", "/docs"])
async def test_public_paths_accept_only_get_and_head(closed: Client, path: str) -> None:
    reader, writer = await closed.connect()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: a\r\n"
    # The body never comes: nobody waits for it.
    writer.write(f"{head}Content-Type: application/json\r\nContent-Length: 9\r\n\r\n".encode())

    answer = (await reader.readuntil(b"\r\n\r\n")).lower()

    writer.close()
    assert b" 405 " in answer
    assert b"allow: get, head\r\n" in answer


async def test_dashboard_can_only_read_without_tokens(client: Client) -> None:
    ours = {"Sec-Fetch-Site": "same-origin"}
    writing = ours | {"Origin": client.url}

    assert (await client.get("/v1/transactions", headers=ours)).status == 200
    reply = await client.post("/v1/transactions", json={"id": "abcdefgh"}, headers=writing)
    assert reply.status == 403
    assert (await client.ask("DELETE", "/v1/transactions/abcdefgh", headers=writing)).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-site"},  # a page of another port of this machine
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-origin", "Host": "evil.example"},  # DNS rebinding
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:3000"},
        {"Sec-Fetch-Site": "same-origin, none"},
    ],
)
async def test_other_web_pages_cannot_read(client: Client, headers: dict[str, str]) -> None:
    assert (await client.get("/v1/transactions", headers=headers)).status == 403


def test_page_has_no_external_urls_and_no_inline_code() -> None:
    page = FILES[PAGE][0].decode()

    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", page)
    for path, (content, _) in FILES.items():
        text = content.decode().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//[a-z]+\.", text), path


def test_scripts_never_write_html() -> None:
    for path, (content, _) in FILES.items():
        assert not re.search(SINKS, content.decode()), path


def test_each_file_is_small_and_used() -> None:
    text = STYLE + "".join(content.decode() for content, _ in FILES.values())
    for file in FOLDER.iterdir():
        assert len(file.read_text().splitlines()) < MAX_FILE_LINES
        assert file.name == "index.html" or f"/{file.name}" in text


def test_page_has_every_state() -> None:
    source = FILES["/assets/states.js"][0].decode()
    tables = re.findall(r"export const (?:OPEN|ENDED) = {(.*?)}", source, re.DOTALL)
    known = re.findall(r"(\w+): ", "".join(tables))

    assert sorted(known) == sorted(get_args(State))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(scheme: str) -> None:
    light, dark = re.findall(r":root {(.*?)}", FILES["/assets/style.css"][0].decode(), re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): #(\w{6});", light))
    if scheme == "dark":
        colours |= dict(re.findall(r"--([\w-]+): #(\w{6});", dark))
    tones = [(tone, f"{tone}-back") for tone in ("good", "wait", "warn", "bad")]
    grounds = [(text, on) for text in ("ink", "faint", "accent") for on in ("page", "paper")]
    alone = [(tone, "paper") for tone, _ in tones]

    for text, ground in [*tones, *grounds, *alone, ("faint", "quiet-back"), ("ink", "bad-back")]:
        assert contrast(colours[text], colours[ground]) >= MIN_CONTRAST, (text, ground)


def contrast(*colours: str) -> float:
    """Return the contrast of two colours (WCAG 2.2)."""
    light, dark = sorted(map(luminance, colours), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = (value / 255 for value in bytes.fromhex(colour))
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_requests_of_the_page_are_in_the_description() -> None:
    text = "".join(content.decode() for content, _ in FILES.values())
    asked = set(re.findall(r'(?:json|text|ask|post)\([`"]([\w/]+)', text))

    assert asked == {
        "metrics",
        "readyz",
        "v1/alerts",
        "v1/deliveries",
        "v1/deliveries/resume",
        "v1/endpoints",
        "v1/endpoints/",
        "v1/history",
        "v1/providers",
        "v1/providers/",
        "v1/service",
        "v1/sources",
        "v1/stream",
        "v1/transactions",
        "v1/transactions/",
    }


def test_wheel_contains_all_files(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=PACKAGE, check=True, capture_output=True)

    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {f"transaction_tracker/api/assets/{file.name}" for file in FOLDER.iterdir()}
    assert len(wanted) == len(FILES) - len(SHARED)
    assert wanted <= held

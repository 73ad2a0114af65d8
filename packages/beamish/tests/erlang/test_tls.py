"""Encrypted distribution: between two nodes, and with a real Elixir node."""

import ssl
import subprocess
from pathlib import Path

import pytest

from beamish import GenServer, Pid, process
from beamish.erlang import Atom, ErlangConnectionError, ErlangNode, Tls

from .elixir_node import running_elixir
from .nodes import A, B, Counter, start_node, two_nodes
from .support import COOKIE, ERLANG_NODE, HOST, LIMIT_SECONDS, connect, running_epmd, tool

_NEW_KEY = ["-newkey", "rsa:2048", "-nodes", "-days", "1"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, a certificate for this machine, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    extensions = f"subjectAltName=IP:{HOST}\nauthorityKeyIdentifier=keyid\n"
    (folder / "extensions").write_text(extensions)

    def openssl(*arguments: str) -> None:
        command = [tool("openssl"), *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)

    usage = ("-addext", "keyUsage=critical,keyCertSign")  # CPython 3.13 checks it
    authority = ("-subj", "/CN=authority", "-keyout", "ca-key.pem", "-out", "ca.pem")
    openssl("req", "-x509", *_NEW_KEY, *usage, *authority)
    openssl("req", *_NEW_KEY[:3], "-subj", "/CN=node", "-keyout", "key.pem", "-out", "request")
    signed = ("-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-extfile", "extensions")
    openssl("x509", "-req", "-in", "request", "-days", "1", *signed, "-out", "cert.pem")
    return folder


def contexts(folder: Path) -> Tls:
    """Return contexts that accept certificates of the authority, on both sides."""
    made = []
    for purpose in (ssl.Purpose.CLIENT_AUTH, ssl.Purpose.SERVER_AUTH):
        context = ssl.create_default_context(purpose, cafile=str(folder / "ca.pem"))
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        made.append(context)
    return Tls(server=made[0], client=made[1])


async def test_nodes_talk_over_tls(attached: Pid, certificate: Path) -> None:
    tls = contexts(certificate)
    async with two_nodes({"tls": tls}, exposed=["counter"], tls=tls) as pair:
        await Counter.start(name="counter")

        assert await Counter.add(pair.at_b("counter"), 2**80) == 2**80


async def test_node_without_tls_cannot_connect(attached: Pid, certificate: Path) -> None:
    b = await start_node(B, tls=contexts(certificate))
    addresses = {B: (HOST, await ErlangNode.port(b))}
    a = await start_node(A, addresses=addresses)

    with pytest.raises(ErlangConnectionError):
        await connect(a, B)

    await GenServer.stop(a)
    await GenServer.stop(b)


async def test_node_with_an_unknown_certificate_is_refused(
    attached: Pid, certificate: Path
) -> None:
    known = contexts(certificate)
    b = await start_node(B, tls=known)
    stranger = Tls(server=known.server, client=ssl.create_default_context())
    a = await start_node(A, tls=stranger, addresses={B: (HOST, await ErlangNode.port(b))})

    with pytest.raises(ErlangConnectionError):
        await connect(a, B)

    await GenServer.stop(a)
    await GenServer.stop(b)


@pytest.mark.elixir
@pytest.mark.slow
async def test_elixir_node_talks_over_tls(attached: Pid, certificate: Path) -> None:
    options = [
        f"{side}_{name} {value}"
        for side in ("server", "client")
        for name, value in (
            ("certfile", certificate / "cert.pem"),
            ("keyfile", certificate / "key.pem"),
            ("cacertfile", certificate / "ca.pem"),
            ("verify", "verify_peer"),
        )
    ]
    options.append("server_fail_if_no_peer_cert true")
    erl = f"-proto_dist inet_tls -ssl_dist_opt {' '.join(options)}"
    with running_epmd() as port, running_elixir(port, "--erl", erl):
        node = await ErlangNode.start(
            "tls@127.0.0.1", cookie=COOKIE, epmd=(HOST, port), tls=contexts(certificate)
        )

        await connect(node, ERLANG_NODE)

        args = ("Enum", "sum", [[1, 2]], LIMIT_SECONDS)
        assert await ErlangNode.rpc(node, ERLANG_NODE, *args) == 3
        echo = await ErlangNode.rpc(node, ERLANG_NODE, "Echo", "start", [Atom("tls_echo")])
        big = bytes(range(256)) * 1000
        GenServer.cast(echo, (Atom("send"), process.current(), big))
        assert await process.receive(LIMIT_SECONDS) == big
        await GenServer.stop(node)

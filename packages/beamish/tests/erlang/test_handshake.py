"""The handshake, epmd's messages and frames, without sockets."""

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beamish.erlang import Cookie, ErlangConnectionError
from beamish.erlang._wire import epmd
from beamish.erlang._wire.flags import OURS, REQUIRED, Flags, missing
from beamish.erlang._wire.frames import FrameReader
from beamish.erlang._wire.handshake import (
    Acceptor,
    BothConnectError,
    Handshake,
    Initiator,
    Node,
    Status,
)

EX, PY = Node("ex@127.0.0.1", 7), Node("py@127.0.0.1", 9)
COOKIE = Cookie("kaka")


def initiator(cookie: Cookie = COOKIE, peer: str = PY.name) -> Initiator:
    return Initiator(EX, cookie, peer)


def acceptor(cookie: Cookie = COOKIE, status: Status = "ok") -> Acceptor:
    return Acceptor(PY, cookie, lambda _: status, "127.0.0.1")


def shake(one: Handshake, other: Handshake) -> None:
    """Carry messages between both sides until neither sends any."""
    waiting = [(other, message) for message in one.start()]
    while waiting:
        receiver, message = waiting.pop(0)
        sender = one if receiver is other else other
        waiting += [(sender, answer) for answer in receiver.receive(message)]


def test_nodes_with_the_same_cookie_get_to_know_each_other() -> None:
    first, second = initiator(), acceptor()

    shake(first, second)

    assert (first.done, first.peer) == (True, PY)
    assert (second.done, second.peer) == (True, EX)


def test_initiator_replaces_a_connection_that_the_peer_believes_in() -> None:
    first, second = initiator(), acceptor(status="alive")

    shake(first, second)

    assert first.done
    assert second.done


def test_messages_have_the_layout_of_version_6() -> None:
    (name,) = initiator().start()
    flags, creation, size = struct.unpack_from(">QIH", name, 1)

    assert name[:1] == b"N"
    assert (flags, creation, name[15:]) == (int(OURS), 7, b"ex@127.0.0.1")
    assert size == 12


def test_challenge_is_answered_with_the_md5_of_cookie_and_number() -> None:
    second = acceptor()
    name = b"N" + struct.pack(">QIH", OURS, 7, len(EX.name)) + EX.name.encode()
    status, challenge = second.receive(name)
    number = struct.unpack_from(">I", challenge, 9)[0]
    digest = hashlib.md5(f"kaka{number}".encode()).digest()

    (answer,) = second.receive(b"r" + struct.pack(">I", 42) + digest)

    assert status == b"sok"
    assert answer == b"a" + hashlib.md5(b"kaka42").digest()


def test_initiator_with_a_wrong_cookie_is_refused() -> None:
    second = acceptor()

    with pytest.raises(ErlangConnectionError, match="different cookies"):
        shake(initiator(Cookie("other")), second)

    assert not second.done


def test_acceptor_that_does_not_know_the_cookie_is_refused() -> None:
    first = initiator()
    (_,) = first.start()
    first.receive(b"sok")
    challenge = b"N" + struct.pack(">QIIH", OURS, 1, 9, len(PY.name)) + PY.name.encode()
    first.receive(challenge)

    with pytest.raises(ErlangConnectionError, match="different cookies"):
        first.receive(b"a" + bytes(16))

    assert not first.done


def test_initiator_refuses_a_node_with_another_name() -> None:
    with pytest.raises(ErlangConnectionError, match=r"named 'py@127\.0\.0\.1'"):
        shake(initiator(peer="other@127.0.0.1"), acceptor())


def test_peer_without_a_required_capability_is_refused_by_name() -> None:
    flags = OURS & ~(Flags.V4_NC | Flags.MANDATORY_25_DIGEST)
    name = b"N" + struct.pack(">QIH", flags, 7, len(EX.name)) + EX.name.encode()

    with pytest.raises(ErlangConnectionError, match=r"OTP 25 or later.*V4_NC"):
        acceptor().receive(name)


def test_digest_flag_stands_for_the_mandatory_flags_of_otp_25() -> None:
    digest = Flags.MANDATORY_25_DIGEST | Flags.V4_NC | Flags.UNLINK_ID | Flags.ALIAS

    assert missing(digest) == ""
    assert missing(REQUIRED) == ""
    assert "MAP_TAG" in missing(digest & ~Flags.MANDATORY_25_DIGEST)


# Numbers of `dist.h` (Erlang/OTP, `erts/emulator/beam`), not of our own table: a wrong one shows.
# One newer header was read, which says since when a flag is mandatory, not that of each release.
MANDATORY = {25: 0x107_0F94, 26: 0x4_0307_0F94, 27: 0x4_0307_0F94, 28: 0x4_0307_0F94}
"""DFLAG_DIST_MANDATORY of each release."""
OFFERED = {25: 0xD_07DF_7FBC, 26: 0xD_07DF_7FBC, 27: 0xD_07DF_7FBC, 28: 0x2D_07DF_7FBC}
"""DFLAG_DIST_DEFAULT of each release, without PUBLISHED; OTP 28 has ALTACT_SIG, too."""


@pytest.mark.parametrize("release", MANDATORY)
def test_node_offers_what_each_release_requires(release: int) -> None:
    assert OURS & MANDATORY[release] == MANDATORY[release]


@pytest.mark.parametrize("release", OFFERED)
def test_peers_of_each_release_are_accepted(release: int) -> None:
    named = b"N" + struct.pack(">QIH", OFFERED[release], 7, len(EX.name)) + EX.name.encode()

    status, challenge = acceptor().receive(named)

    assert (status, challenge[:1]) == (b"sok", b"N")


def test_digest_alone_is_accepted_from_an_otp_28_node_that_drops_the_flags_it_stands_for() -> None:
    assert missing(OFFERED[28] & ~MANDATORY[25]) == ""


def test_node_is_hidden_and_offers_no_message_that_it_cannot_read() -> None:
    # A peer sends these only to a node that offers them: PUBLISHED, DIST_HDR_ATOM_CACHE,
    # SEND_SENDER, EXIT_PAYLOAD, FRAGMENTS, ALTACT_SIG (OTP 28).
    unreadable = 0x1 | 0x2000 | 0x80000 | 0x400000 | 0x800000 | 0x20_0000_0000

    assert OURS & unreadable == 0


@pytest.mark.parametrize("status", [b"snot_allowed", b"sfoo", b"s", b""])
def test_initiator_refuses_other_statuses(status: bytes) -> None:
    first = initiator()

    with pytest.raises(ErlangConnectionError):
        first.receive(status)


def test_attempt_of_the_lesser_name_is_given_up_when_both_connect() -> None:
    second = acceptor(status="nok")

    with pytest.raises(ErlangConnectionError):
        shake(initiator(), second)

    assert second.refusal == b"snok"
    with pytest.raises(BothConnectError):
        initiator().receive(second.refusal)


@pytest.mark.parametrize("name", [b"", b"ex", b"@host", b"a@b@c", b"\xff@h", b"a b@h", b"a\n@h"])
def test_invalid_node_names_are_refused(name: bytes) -> None:
    with pytest.raises(ErlangConnectionError):
        acceptor().receive(b"N" + struct.pack(">QIH", OURS, 7, len(name)) + name)


@given(st.binary(max_size=100), st.sampled_from([b"", b"N", b"n", b"r", b"s"]))
def test_random_bytes_end_a_handshake_with_a_clear_error(data: bytes, tag: bytes) -> None:
    with pytest.raises(ErlangConnectionError):
        acceptor().receive(tag + data)


def test_cookie_is_never_shown() -> None:
    cookie = Cookie("very-secret")

    assert "very-secret" not in f"{cookie!r} {cookie}"
    with pytest.raises(TypeError) as raised:
        Cookie(b"very-secret")  # type: ignore[arg-type]
    assert "very-secret" not in str(raised.value)


@pytest.mark.parametrize("secret", ["", "a" * 256])
def test_cookie_of_the_wrong_size_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="1 to 255"):
        Cookie(secret)


# -- epmd


def test_registration_has_the_layout_of_alive2() -> None:
    request = epmd.register_request("py", 5000)

    assert (
        request.hex()
        == "000f" + "78" + "1388" + "48" + "00" + "0006" + "0006" + "0002" + (b"py".hex()) + "0000"
    )


def test_creation_is_read_from_both_forms_of_the_response() -> None:
    assert epmd.registered(b"\x76\x00\x00\x00\x00\x05", "py") == 5
    assert epmd.registered(b"\x79\x00\x00\x05", "py") == 5
    assert epmd.registered(b"\x76\x00\x00", "py") is None
    assert epmd.registered(b"", "py") is None


def test_refused_registration_names_the_node() -> None:
    with pytest.raises(ErlangConnectionError, match="py: epmd refused the name"):
        epmd.registered(b"\x76\x01\x00\x00\x00\x00", "py")


def test_port_is_read_from_the_response() -> None:
    response = b"\x77\x00" + struct.pack(">HBBHHH", 5000, 77, 0, 6, 5, 2) + b"ex\x00\x00"

    assert epmd.port(response, "ex@host") == 5000


@pytest.mark.parametrize(
    ("response", "why"),
    [
        (b"\x77\x01", "does not know it"),
        (b"\x77\x00\x13", "cut off"),
        (b"", "cut off"),
        (b"\x01\x00", "unknown tag"),
        (b"\x77\x00" + struct.pack(">HBBHHH", 5000, 77, 0, 5, 5, 0) + b"\x00\x00", "version is 5"),
    ],
)
def test_bad_response_to_a_port_request_is_refused(response: bytes, why: str) -> None:
    with pytest.raises(ErlangConnectionError, match=why):
        epmd.port(response, "ex@host")


# -- Frames


@given(st.lists(st.binary(max_size=20)), st.integers(1, 7))
def test_frames_survive_any_split_of_the_stream(frames: list[bytes], step: int) -> None:
    reader = FrameReader("peer", 4, 100)
    stream = b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames)

    parts = [stream[start : start + step] for start in range(0, len(stream), step)]

    assert [frame for part in parts for frame in reader.feed(part)] == frames
    assert reader.held == 0


def test_announced_frame_over_the_limit_is_refused_before_it_comes() -> None:
    reader = FrameReader("peer", 4, 100)

    with pytest.raises(ErlangConnectionError, match="can have 100 bytes; it announced 4294967295"):
        list(reader.feed(b"\xff\xff\xff\xff"))

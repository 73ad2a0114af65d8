"""The capabilities that two nodes tell each other in the handshake."""

from enum import IntFlag


class Flags(IntFlag):
    """Distribution flags, by the names of the protocol's documentation."""

    PUBLISHED = 0x1
    EXTENDED_REFERENCES = 0x4
    DIST_MONITOR = 0x8
    FUN_TAGS = 0x10
    DIST_MONITOR_NAME = 0x20
    NEW_FUN_TAGS = 0x80
    EXTENDED_PIDS_PORTS = 0x100
    EXPORT_PTR_TAG = 0x200
    BIT_BINARIES = 0x400
    NEW_FLOATS = 0x800
    UNICODE_IO = 0x1000
    SMALL_ATOM_TAGS = 0x4000
    UTF8_ATOMS = 0x10000
    MAP_TAG = 0x20000
    BIG_CREATION = 0x40000
    HANDSHAKE_23 = 0x1000000
    UNLINK_ID = 0x2000000
    MANDATORY_25_DIGEST = 0x4000000
    SPAWN = 0x1 << 32
    V4_NC = 0x4 << 32
    ALIAS = 0x8 << 32


_MANDATORY_25 = (
    Flags.EXTENDED_REFERENCES
    | Flags.FUN_TAGS
    | Flags.NEW_FUN_TAGS
    | Flags.EXTENDED_PIDS_PORTS
    | Flags.EXPORT_PTR_TAG
    | Flags.BIT_BINARIES
    | Flags.NEW_FLOATS
    | Flags.UTF8_ATOMS
    | Flags.MAP_TAG
    | Flags.BIG_CREATION
    | Flags.HANDSHAKE_23
)

REQUIRED = _MANDATORY_25 | Flags.UNLINK_ID | Flags.V4_NC | Flags.ALIAS
"""What a peer must support. OTP 25 has all; OTP 26 and later require all but ALIAS themselves."""

# Not PUBLISHED: a hidden node. SPAWN, because `rpc` and `erpc` need it. Not DIST_HDR_ATOM_CACHE,
# FRAGMENTS and EXIT_PAYLOAD: each message is one plain frame.
OURS = (
    REQUIRED
    | Flags.DIST_MONITOR
    | Flags.DIST_MONITOR_NAME
    | Flags.UNICODE_IO
    | Flags.SMALL_ATOM_TAGS
    | Flags.SPAWN
    | Flags.MANDATORY_25_DIGEST
)
"""What this node supports."""


def expanded(flags: int) -> int:
    """Return ``flags`` with those that MANDATORY_25_DIGEST stands for."""
    return flags | _MANDATORY_25 if flags & Flags.MANDATORY_25_DIGEST else flags


def missing(flags: int) -> str:
    """Return the names of the required flags that a peer lacks, empty if it has all."""
    lacking = REQUIRED & ~Flags(expanded(flags) & REQUIRED)
    return ", ".join(sorted(flag.name or "" for flag in Flags if flag in lacking))

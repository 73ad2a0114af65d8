"""The quick start of the tracker, typed from top to bottom into four terminals."""

import asyncio
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from .environment import MARKS, ROOT, new_machine
from .terminals import free_ports, terminals, until_listening

PAGE = ROOT / "docs" / "tracker" / "quick_start.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"# (txtrack\.toml|receiver\.py)\n")
# What runs until Ctrl-C, and the port that it then accepts connections on.
FOREVER = {"txtrack node": "8545", "txtrack serve": "8080", "python3 receiver.py": "9000"}
pytestmark = MARKS

# Installing takes minutes on a busy machine.
SECONDS = 600.0
# The same request, for a machine without curl.
CURL = """
curl() {
    python3 -c "
import sys, urllib.request
print(urllib.request.urlopen(sys.argv[2], sys.argv[-1].encode()).read().decode())" "$@"
}
"""


async def follow(folder: Path, variables: Mapping[str, str]) -> list[list[str]]:
    """Do what the page says, with other ports; return what each terminal has printed.

    Args:
        folder: Where the files of the page go.
        variables: The environment of the terminals.
    """
    ports = dict(zip(FOREVER.values(), map(str, free_ports(len(FOREVER))), strict=True))
    page = re.sub("|".join(ports), lambda found: ports[found[0]], PAGE.read_text())
    async with asyncio.timeout(SECONDS), terminals(4, folder, variables) as opened:
        if shutil.which("curl", path=variables["PATH"]) is None:
            await opened[3].run(CURL)
        for kind, block in BLOCK.findall(page):
            if named := FILE.match(block):
                (folder / named[1]).write_text(block)
            elif kind == "sh":
                for number in re.findall(r"\d", block.splitlines()[0]):
                    terminal = opened[int(number) - 1]
                    last = block.strip().splitlines()[-1]
                    port = next((FOREVER[start] for start in FOREVER if last.startswith(start)), "")
                    if port:
                        terminal.type(block)
                        await until_listening(int(ports[port]))
                    else:
                        await terminal.run(block)
        await opened[2].until("^confirmed ")
        await opened[2].until("wei to")
        return [terminal.printed for terminal in opened]


def check(printed: list[list[str]]) -> None:
    """Check that the receiver and the commands have shown a confirmed payment."""
    _, _, receiver, commands = printed

    assert receiver[-2].startswith("confirmed {'invoice': 17} 0x")
    paid = "1 wei to 0xefd1c4e33c15e84d505ec1e915cbb933ba4fc30b as expected: True"
    assert receiver[-1].endswith(paid)
    assert [line for line in commands if " confirmed, block " in line]
    assert [line for line in commands if "confirmed: Final: it succeeded." in line]


async def test_every_command_works_in_an_empty_environment_with_the_wheels_alone(
    dist: Path, constraints: Path, tmp_path: Path
) -> None:
    variables = new_machine(tmp_path, dist, constraints)

    check(await follow(Path(variables["HOME"]), variables))

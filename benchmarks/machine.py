"""Where the figures come from."""

import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

TOOLS = Path(__file__).parent.parent / "tools"


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine and the versions that were measured."""

    date: str
    cpu: str
    cores: int
    system: str
    python: str
    beam: str | None
    newest: str | None = None

    @classmethod
    def here(cls) -> "Machine":
        """Describe this machine."""
        return cls(
            date=datetime.now(UTC).strftime("%Y-%m-%d"),
            cpu=cpu_model(),
            cores=os.cpu_count() or 1,
            system=f"{platform.system()} {platform.machine()}",
            python=f"{platform.python_implementation()} {platform.python_version()}",
            beam=beam_version(),
            newest=newest[0] if (newest := newest_python()) else None,
        )


def newest_python() -> tuple[str, str] | None:
    """Return the version and path of the newest supported CPython, if it is not this one."""
    listed = subprocess.run([TOOLS / "pythons"], capture_output=True, text=True, check=False)
    for line in reversed(listed.stdout.splitlines()):
        minor, path = line.split(maxsplit=1)
        if minor == ".".join(platform.python_version_tuple()[:2]):
            return None
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
        return said.stdout.split()[-1], path
    return None


def cpu_model() -> str:
    """Name the processor."""
    try:
        described = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", described, re.MULTILINE)
    return found[1] if found else platform.machine()


def beam_version() -> str | None:
    """Name the versions of Elixir and OTP, if there are any."""
    if shutil.which("elixir") is None:
        return None
    said = subprocess.run(["elixir", "--version"], capture_output=True, text=True, check=True)
    return parse_versions(said.stdout)


def parse_versions(said: str) -> str:
    """Read the versions from what ``elixir --version`` prints."""
    elixir = re.search(r"^Elixir (\S+)", said, re.MULTILINE)
    otp = re.search(r"^Erlang/OTP (\S+)(?: \[erts-([\d.]+)\])?", said, re.MULTILINE)
    if elixir is None or otp is None:
        return said.strip()
    return f"Elixir {elixir[1]} on Erlang/OTP {otp[1]} (erts {otp[2]})"

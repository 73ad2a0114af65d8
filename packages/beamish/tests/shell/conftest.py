"""What the tests of the shell share."""

import subprocess
import sys
from pathlib import Path

import pytest

from beamish.__main__ import main

from .support import SHOP, Command


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the module `shop`."""
    (tmp_path / "shop.py").write_text(SHOP)
    return tmp_path


@pytest.fixture
def command(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """The command line, run in the folder and in this very process, which is fast."""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        for module in ("shop", "bad"):
            monkeypatch.delitem(sys.modules, module, raising=False)
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        shown = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, int(ended.value.code or 0), *shown)

    return run

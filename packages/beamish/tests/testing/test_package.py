"""What the package offers, and what it does not need."""

import subprocess
import sys
from importlib.metadata import entry_points

from beamish import testing


def test_every_public_name_is_there_and_sorted() -> None:
    capitals_first = sorted(testing.__all__, key=lambda name: (name[0].islower(), name))

    assert capitals_first == testing.__all__
    assert all(getattr(testing, name).__doc__ for name in testing.__all__)


def test_needs_no_pytest() -> None:
    program = "import sys; sys.modules['pytest'] = None; import beamish.testing"

    subprocess.run([sys.executable, "-c", program], timeout=30, check=True)


def test_beamish_does_not_import_it() -> None:
    program = "import sys, beamish; assert 'beamish.testing' not in sys.modules"

    subprocess.run([sys.executable, "-c", program], timeout=30, check=True)


def test_pytest_finds_the_plugin_by_itself() -> None:
    (plugin,) = entry_points(group="pytest11", name="beamish")

    assert plugin.value == "beamish.testing.plugin"

"""What one machine pays for the cluster: nothing."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["beamish", "beamish.testing", "beamish.erlang"])
def test_other_modules_import_nothing_of_the_cluster(module: str) -> None:
    code = (
        f"import sys, {module}; "
        "print([name for name in sys.modules if '.cluster' in name or name == 'ray'])"
    )

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert shown.stdout.strip() == "[]"

"""The files in ``deploy/`` work with the program and their platforms."""

import configparser
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from transaction_tracker.api import WebOptions
from transaction_tracker.cli.app import application
from transaction_tracker.delivery.worker import GRACE_SECONDS
from transaction_tracker.service import Settings, TransactionTrackerApplication
from transaction_tracker.settings import load
from transaction_tracker.settings.convert import application_settings, application_source

app = application()

ROOT = Path(__file__).parents[4]
DEPLOY = ROOT / "deploy"


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "txtrack.service")
    return parser


def instructions() -> list[tuple[str, str]]:
    text = (DEPLOY / "Containerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def is_understood(command: str) -> bool:
    _, *words = shlex.split(command)
    function, _, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    return callable(function)


def test_example_configuration_is_valid() -> None:
    settings = application_settings(load(DEPLOY / "txtrack.toml"))

    assert settings.chain_id == 1
    assert len(settings.providers) == 2
    assert settings.web is not None
    assert settings.web.is_local


def test_example_configuration_of_a_bank_sets_what_it_shows() -> None:
    configuration = load(DEPLOY / "bank.toml")

    source = application_source(configuration)
    assert source is not None
    assert application_settings(configuration).providers == ()
    assert (source.name, source.ids_per_request, source.has_feed) == (
        "http:example-bank",
        100,
        True,
    )
    assert source.identify("PAY-17") == "PAY-17"
    assert source.policy.watch_for == 60 * 86_400


def test_unit_starts_a_command_that_exists() -> None:
    assert is_understood(unit()["Service"]["ExecStart"])


def test_drop_in_makes_the_unit_stand_by() -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "standby.conf")
    service = parser["Service"]

    assert is_understood(service["ExecStart"])
    assert service["ExecStart"].replace(" --standby", "") == unit()["Service"]["ExecStart"]
    # Without this line, systemd would start both commands, and refuse the unit.
    assert "\nExecStart=\nExecStart=/" in (DEPLOY / "standby.conf").read_text()
    assert service["Restart"] == "always"


def test_unit_gives_the_service_time_but_no_privileges() -> None:
    service = unit()["Service"]

    assert service["Type"] == "notify"
    assert service["RestartPreventExitStatus"] == "2"
    for name in ("DynamicUser", "NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices"):
        assert service[name] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    assert service["StateDirectoryMode"] == "0700"


def test_unit_gives_more_time_to_stop_than_the_service_takes() -> None:
    service = TransactionTrackerApplication(Settings("http://127.0.0.1:1", web=WebOptions()))

    limits = [child.shutdown for child in service.children()]

    seconds = [limit for limit in limits if isinstance(limit, int | float)]
    # The others are supervisors, whose children stop side by side, the couriers last of all.
    own = sum(seconds) + (len(limits) - len(seconds)) * (GRACE_SECONDS + 2)
    assert seconds != []
    assert own < int(unit()["Service"]["TimeoutStopSec"])


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze, which this machine has not")
    text = (DEPLOY / "txtrack.service").read_text()
    path = tmp_path / "txtrack.service"
    path.write_text(text.replace("/opt/txtrack/bin/txtrack", shutil.which("true") or "/bin/true"))

    ran = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"LC_ALL": "C"},
    )

    ours = [line for line in ran.stderr.splitlines() if "txtrack.service" in line]
    assert (ran.returncode, ours) == (0, [])


def test_container_has_a_health_check_and_no_root_user() -> None:
    given = dict(instructions())

    assert given["USER"].isdecimal()
    assert int(given["USER"]) > 0
    assert "/healthz" in given["HEALTHCHECK"]
    assert [word for word, _ in instructions()].count("FROM") == 2


def test_builds_with_podman_keep_the_health_check() -> None:
    """The format that podman and buildah write by default, OCI, drops it without an error."""
    page = DEPLOY.parent / "docs" / "tracker" / "deployment.md"
    texts = [path.read_text() for path in (page, DEPLOY / "Containerfile")]
    builds = [line for text in texts for line in text.splitlines() if "podman build" in line]

    assert len(builds) == len(texts)
    assert [build for build in builds if "podman build --format docker " not in build] == []


def test_container_starts_a_command_that_exists() -> None:
    given = dict(instructions())
    command = re.findall(r'"([^"]+)"', given["ENTRYPOINT"] + given["CMD"])

    assert is_understood(shlex.join(command))


def test_container_copies_existing_files_that_are_not_ignored() -> None:
    allowed = (DEPLOY / "Containerfile.dockerignore").read_text().splitlines()
    copied = [
        rest.split()[0]
        for word, rest in instructions()
        if word == "COPY" and not rest.startswith("--from")
    ]

    assert copied
    assert [path for path in copied if not (ROOT / path).exists()] == []
    assert [path for path in copied if f"!{path}" not in allowed] == []


def test_container_uses_the_locked_versions() -> None:
    (line,) = [rest for word, rest in instructions() if word == "RUN" and rest.startswith("sed")]
    command = line.replace("requirements.lock", str(ROOT / "requirements.lock")).split(">")[0]

    ran = subprocess.run(shlex.split(command), capture_output=True, text=True, check=True)

    lines = [one for one in ran.stdout.splitlines() if one and not one.lstrip().startswith("#")]
    assert len(lines) > 20
    assert [
        one for one in lines if not re.match(r"[\w.-]+(\[[\w,-]+\])?==[\w.+!]+( ;|$)", one)
    ] == []

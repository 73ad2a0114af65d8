"""The files for a public forge fit the repository: workflows, hooks, templates, editor settings."""

import configparser
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
SUPPORTED = (ROOT / "tools" / "pythons").read_text().split('supported="')[1].split('"')[0].split()


def workflow(name: str) -> Any:
    return yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text())


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in yaml.safe_load(path.read_text())["jobs"].values():
        yield from job.get("steps", [])


def targets() -> set[str]:
    """Return the targets of the Makefile."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("variable", ["HEAVY", "ONCE"])
def test_marks_that_the_makefile_leaves_out_exist(variable: str) -> None:
    """pytest takes an unknown mark for one that no test has, and would leave out nothing."""
    found = re.search(rf"^{variable} := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]

    assert found is not None
    known = {mark.partition(":")[0] for mark in options["markers"]}
    assert {*found[1].split(" or ")} <= known


@pytest.mark.parametrize("job", ["test", "native", "packages"])
def test_ci_runs_on_each_supported_cpython(job: str) -> None:
    matrix = workflow("ci")["jobs"][job]["strategy"]["matrix"]

    assert matrix["python"] == SUPPORTED


def test_release_builds_the_native_core_for_each_supported_cpython() -> None:
    (build,) = [step for step in workflow("release")["jobs"]["native"]["steps"] if "run" in step]

    wanted = [f"cp{version.replace('.', '')}-*" for version in SUPPORTED]
    assert build["env"]["CIBW_BUILD"].split() == wanted
    # The core is missing without an error where it cannot be compiled.
    assert "native core" in build["env"]["CIBW_TEST_COMMAND"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_calls_what_exists(path: Path) -> None:
    commands = "\n".join(step.get("run", "") for step in steps(path))
    commands = re.sub(r"\$\{\{.*?\}\}", "…", commands)
    made = {
        word
        for line in re.findall(r"^make (.*)$", commands, re.MULTILINE)
        for word in re.sub(r'\w+="[^"]*"|\S+=\S+', "", line).split()
    }
    files = re.findall(r"(?:^|\s)((?:deploy|tools|\.ci)/\S+)", commands)

    assert made | set(files)
    assert made <= targets()
    assert [name for name in files if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_can_only_read_and_names_versions(path: Path) -> None:
    table = yaml.safe_load(path.read_text())
    used = [step["uses"] for step in steps(path) if "uses" in step]

    assert table["permissions"] == {"contents": "read"}
    assert [action for action in used if "@" not in action] == []
    assert [
        step
        for step in steps(path)
        if step.get("uses", "").startswith("actions/checkout")
        and step["with"]["persist-credentials"] is not False
    ] == []
    # A value of an event in the text of a command would be run as a part of it.
    assert "${{ github.event" not in "".join(step.get("run", "") for step in steps(path))
    assert "${{ github.ref" not in "".join(step.get("run", "") for step in steps(path))


def test_only_the_publishing_job_can_identify_itself_to_the_index() -> None:
    jobs = workflow("release")["jobs"]
    trusted = [name for name, job in jobs.items() if "id-token" in job.get("permissions", {})]

    assert trusted == ["publish"]
    assert jobs["publish"]["environment"] == "release"
    assert set(jobs["publish"]["needs"]) == {"ci", "dist"}
    assert "password" not in str(jobs["publish"])


def test_release_starts_by_a_tag_of_a_version() -> None:
    # YAML 1.1 reads the key "on" as true.
    assert workflow("release")[True] == {"push": {"tags": ["v*"]}}


def test_hooks_use_the_locked_version_of_ruff() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    lock = (ROOT / "requirements.lock").read_text()
    (locked,) = re.findall(r"^(ruff==\S+)", lock, re.MULTILINE)

    assert {tuple(hook["additional_dependencies"]) for hook in repository["hooks"]} == {(locked,)}


def test_editor_has_the_width_of_ruff() -> None:
    parser = configparser.ConfigParser()
    parser.read_string("[all]\n" + (ROOT / ".editorconfig").read_text())
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]

    assert parser["*.py"]["max_line_length"] == str(ruff["line-length"])


@pytest.mark.parametrize("path", sorted(ROOT.glob(".github/ISSUE_TEMPLATE/[bf]*.yml")), ids=str)
def test_issue_template_is_a_form(path: Path) -> None:
    form = yaml.safe_load(path.read_text())

    assert {"name", "description", "body"} <= form.keys()
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids)) > 0


def test_site_is_built_with_the_configuration_and_the_lock_file() -> None:
    table = yaml.safe_load((ROOT / ".readthedocs.yaml").read_text())

    assert (ROOT / table["sphinx"]["configuration"]).exists()
    assert table["sphinx"]["fail_on_warning"] is True
    assert "requirements.lock" in table["build"]["jobs"]["install"][0]
    assert table["build"]["tools"]["python"] in SUPPORTED


def test_no_file_holds_an_address_of_the_repository() -> None:
    pattern = r"(github\.com|gitlab\.com|readthedocs\.io)/+beamish"
    found = subprocess.run(
        ["git", "grep", "-lE", pattern, "--", ".", ":!tests/test_forge.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert found.stdout == ""

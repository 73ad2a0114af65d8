"""Files that other programs read follow the schemas that those programs publish."""

from pathlib import Path

import pytest

from .environment import MARKS, ROOT, Environment, create, install, shared

pytestmark = [*MARKS, pytest.mark.once]

VALIDATORS = Path(__file__).parent / "validators.txt"
# The oldest and the newest Kubernetes that the manifests are for.
KUBERNETES = ("1.29", "1.37")
FORMS = (".github/ISSUE_TEMPLATE/bug.yml", ".github/ISSUE_TEMPLATE/feature.yml")
SCHEMAS = {
    "vendor.citation-file-format": ("CITATION.cff",),
    "vendor.compose-spec": ("deploy/compose.yml", "deploy/compose-shards.yml"),
    "vendor.dependabot": (".github/dependabot.yml",),
    "vendor.github-issue-config": (".github/ISSUE_TEMPLATE/config.yml",),
    "vendor.github-issue-forms": FORMS,
    "vendor.github-workflows": (".github/workflows/ci.yml", ".github/workflows/release.yml"),
    "vendor.readthedocs": (".readthedocs.yaml",),
}


@pytest.fixture(scope="session")
def validators(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Given: an environment with the validators, which contain the schemas."""
    with shared(tmp_path_factory, "validators") as (folder, complete):
        if not complete:
            install(create(folder), "-r", VALIDATORS)
    return Environment(folder)


@pytest.mark.parametrize("version", KUBERNETES)
def test_manifests_follow_the_schema_of_kubernetes(validators: Environment, version: str) -> None:
    program = validators.program("kubernetes-validate")

    validators.run([program, "--strict", "-k", version, ROOT / "deploy" / "kubernetes.yml"])


@pytest.mark.parametrize("version", KUBERNETES)
def test_manifest_with_an_unknown_field_is_refused(
    validators: Environment, version: str, tmp_path: Path
) -> None:
    text = (ROOT / "deploy" / "kubernetes.yml").read_text()
    wrong = tmp_path / "kubernetes.yml"
    wrong.write_text(text.replace("readinessProbe:", "readyProbe:"))

    program = validators.program("kubernetes-validate")
    ran = validators.attempt([program, "--strict", "-k", version, wrong])

    assert ran.returncode == 1
    assert "'readyProbe' was unexpected" in ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("schema", "file"), [(s, f) for s, files in SCHEMAS.items() for f in files]
)
def test_file_follows_its_schema(validators: Environment, schema: str, file: str) -> None:
    program = validators.program("check-jsonschema")

    validators.run([program, "--builtin-schema", schema, "--default-filetype", "yaml", ROOT / file])

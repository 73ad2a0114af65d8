"""The files for compose, Prometheus, Grafana and Kubernetes fit the program and one another."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.routing import APIRoute

from transaction_tracker.api.routes import health
from transaction_tracker.cli.app import application
from transaction_tracker.settings import load
from transaction_tracker.settings.convert import application_settings

ROOT = Path(__file__).parents[4]
DEPLOY = ROOT / "deploy"
UNIT = (DEPLOY / "txtrack.service").read_text()
CONTAINER = (DEPLOY / "Containerfile").read_text()

STOP_SECONDS = int(re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)[0])
USER = int(re.findall(r"^USER (\d+)$", CONTAINER, re.MULTILINE)[0])

app = application()


def compose() -> Any:
    return yaml.safe_load((DEPLOY / "compose.yml").read_text())["services"]


def deployment() -> tuple[Any, Any]:
    """Return the specification of the pod, and of its only container."""
    deployed, _ = yaml.safe_load_all((DEPLOY / "kubernetes.yml").read_text())
    pod = deployed["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    return pod, container


def is_understood(words: list[str]) -> bool:
    function, _, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    return callable(function)


def options(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the settings of a program with these variables, with values for placeholders."""
    for name, value in variables.items():
        given = re.sub(r"\$\{RPC_URL:[^}]*\}", "https://rpc.example.org", value)
        given = re.sub(r"\$\{\w+:[^}]*\}|\$\(\w+\)", "10.0.0.1", given)
        monkeypatch.setenv(name, given)
    return application_settings(load())


def test_compose_starts_a_command_that_exists() -> None:
    assert is_understood(compose()["txtrack"]["command"])


def test_compose_sets_valid_options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)

    settings = options(compose()["txtrack"]["environment"], monkeypatch)

    assert len(settings.providers) == 1
    assert str(settings.database) == "postgresql://database/txtrack"


def test_compose_gives_the_service_time_but_no_privileges() -> None:
    service = compose()["txtrack"]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "user" not in service  # that of the image, which is not root
    assert service["stop_grace_period"] == f"{STOP_SECONDS}s"


def test_compose_publishes_ports_on_this_machine_only() -> None:
    ports = [port for service in compose().values() for port in service.get("ports", [])]

    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_files_that_compose_mounts_exist() -> None:
    mounts = [mount for service in compose().values() for mount in service.get("volumes", [])]
    files = [mount.split(":")[0] for mount in mounts if mount.startswith(".")]
    # The token is created by a command of the page.
    missing = [name for name in files if not (DEPLOY / name).exists()]

    assert len(files) > 4
    assert missing == ["./prometheus-token"]
    assert "prometheus-token" in (ROOT / "docs" / "tracker" / "deployment.md").read_text()


def test_prometheus_scrapes_the_job_that_the_rules_expect() -> None:
    configuration = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    (job,) = configuration["scrape_configs"]
    mounted = [mount.split(":")[1] for mount in compose()["prometheus"]["volumes"]]

    (wanted,) = set(re.findall('job=~"(.*?)"', (DEPLOY / "prometheus-rules.yml").read_text()))
    assert re.fullmatch(wanted, job["job_name"])
    assert job["static_configs"] == [{"targets": ["txtrack:8080"]}]
    assert {*configuration["rule_files"], job["authorization"]["credentials_file"]} <= {*mounted}


def test_grafana_finds_the_dashboard_and_its_data_source() -> None:
    mounted = dict(mount.split(":")[:2] for mount in compose()["grafana"]["volumes"])
    (provider,) = yaml.safe_load((DEPLOY / "grafana" / "dashboards.yml").read_text())["providers"]
    (source,) = yaml.safe_load((DEPLOY / "grafana" / "datasource.yml").read_text())["datasources"]
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())

    folder = Path(provider["options"]["path"])
    assert Path(mounted["./grafana-dashboard.json"]).parent == folder
    assert source["type"] == dashboard["templating"]["list"][0]["query"]
    assert source["isDefault"]
    assert source["url"] == "http://prometheus:9090"


def test_kubernetes_starts_a_command_that_exists() -> None:
    _, container = deployment()

    assert is_understood(container["args"])
    assert "--standby" in container["args"]


def test_kubernetes_probes_paths_of_the_service() -> None:
    _, container = deployment()
    paths = {
        name: probe["httpGet"]["path"]
        for name, probe in container.items()
        if name.endswith("Probe")
    }

    # A standby is alive, but not ready: it must not be killed, and gets no requests.
    assert paths == {
        "livenessProbe": "/healthz",
        "startupProbe": "/healthz",
        "readinessProbe": "/readyz",
    }
    known = {route.path for route in health.router.routes if isinstance(route, APIRoute)}
    assert set(paths.values()) <= known


def test_kubernetes_gives_the_service_time_but_no_privileges() -> None:
    pod, container = deployment()

    assert pod["terminationGracePeriodSeconds"] == STOP_SECONDS
    assert pod["securityContext"]["runAsUser"] == USER
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_kubernetes_sets_valid_options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    _, container = deployment()
    variables = {one["name"]: one["value"] for one in container["env"] if "value" in one}

    settings = options(
        variables | {"TXTRACK_PROVIDERS__0__URL": "https://rpc.example.org"}, monkeypatch
    )

    assert settings.web is not None


def test_images_of_others_have_a_version() -> None:
    images = [service["image"] for service in compose().values()]

    assert [image for image in images if not re.search(r":v?\d|^txtrack:latest$", image)] == []


@pytest.mark.parametrize("file", ["compose.yml", "kubernetes.yml", "prometheus.yml"])
def test_files_hold_no_secrets(file: str) -> None:
    text = (DEPLOY / file).read_text()

    assert re.findall(r"(?i)(?:password|token|secret):\s*[\"']?[a-z0-9]{8,}", text) == []


def test_commands_of_the_page_are_understood() -> None:
    text = (ROOT / "docs" / "tracker" / "deployment.md").read_text()
    found = re.findall(r"compose run --rm txtrack ([^#\n]+)|-v \S+ txtrack (token[^\n]+)", text)
    words = [shlex.split(first or second) for first, second in found]

    assert len(words) == 2
    assert all(is_understood(command) for command in words)


def sharded() -> Any:
    return yaml.safe_load((DEPLOY / "compose-shards.yml").read_text())


def test_compose_of_shards_starts_each_shard_and_a_router(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    services = sharded()["services"]
    names = [name for name in services if name.startswith("shard-")]

    shards = [options(services[name]["environment"], monkeypatch) for name in names]

    assert [str(settings.database.shard) for settings in shards] == ["0/4", "1/4", "2/4", "3/4"]
    for name, value in services["router"]["environment"].items():
        monkeypatch.setenv(name, value)
    router = load().router
    assert router.shards == tuple((f"http://{name}:8080",) for name in names)
    assert router.map == shards[0].database.shard.map
    for name in (*names, "router"):
        assert is_understood(services[name]["command"])
        assert services[name]["read_only"] is True
        assert services[name]["stop_grace_period"] == f"{STOP_SECONDS}s"


def test_shards_trust_the_network_of_their_router() -> None:
    content = sharded()
    (network,) = content["networks"]["default"]["ipam"]["config"]

    trusted = content["services"]["shard-0"]["environment"]["TXTRACK_WEB__TRUSTED_PROXIES"]
    assert trusted == network["subnet"]
    assert content["services"]["router"]["ports"] == ["127.0.0.1:8080:8080"]

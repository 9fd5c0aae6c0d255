"""What is in deploy/container and deploy/kubernetes names what exists, and configures what filterd reads."""

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from filterd.app import load_config
from filterd.app.probes import probes
from filterd.cli import app
from filterd.config import Config
from filterd.telemetry import Metrics
from filterd.telemetry.pulse import Pulse
from tests.support.daemon import toml
from tests.support.process import require_program

ROOT = Path(__file__).resolve().parents[2]
CONTAINER = ROOT / "deploy" / "container"
KUBERNETES = ROOT / "deploy" / "kubernetes" / "filterd.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load((CONTAINER / "compose.yaml").read_text())
OBJECTS: list[dict[str, Any]] = list(yaml.safe_load_all(KUBERNETES.read_text()))
USER = 850
CONFIGURATIONS = {
    "compose": (CONTAINER / "filterd.toml").read_text(),
    "kubernetes": str(next(one for one in OBJECTS if one["kind"] == "ConfigMap")["data"]["filterd.toml"]),
}
IMAGES = sorted(CONTAINER.glob("*Containerfile"))
ACCOUNT_KEYS = ("password_file", "upkeep_password_file", "secret_file")


def loaded(text: str, tmp_path: Path) -> Config:
    """The configuration as the daemon reads it, with secrets that are here."""
    tables = tomllib.loads(text)
    for table in tables.values():
        for key in ACCOUNT_KEYS:
            if key in table:
                secret = tmp_path / Path(table[key]).name
                secret.write_text("a secret\n")
                secret.chmod(0o640)
                table[key] = str(secret)
    path = tmp_path / "filterd.toml"
    path.write_text(toml(tables))
    return load_config(path)


def of_kind(kind: str) -> dict[str, Any]:
    """The only object of a kind."""
    (found,) = [one for one in OBJECTS if one["kind"] == kind]
    return found


def pod() -> dict[str, Any]:
    """What runs in Kubernetes."""
    spec: dict[str, Any] = of_kind("StatefulSet")["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_configuration_loads(name: str, tmp_path: Path) -> None:
    """Unknown keys and wrong values are errors; what listens is what is published to the others."""
    config = loaded(CONFIGURATIONS[name], tmp_path)
    assert (config.milter.address.port, config.metrics.address and config.metrics.address.port) == (8891, 9469)
    assert config.quarantine.shared
    assert str(config.paths.state) == "/var/lib/filterd"
    assert config.runtime_directory.is_relative_to("/run/filterd")


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_what_an_image_is_made_of(path: Path) -> None:
    """Whatever it copies from the checkout is there, its stages are, and it does not run as root where it need not."""
    text = path.read_text().replace("\\\n", " ")
    stages = set(re.findall(r" AS (\w+)", text))
    for line in re.findall(r"^COPY (.*)", text, re.MULTILINE):
        words = shlex.split(line)
        if words[0].startswith("--from="):
            assert words[0].removeprefix("--from=") in stages
            continue
        assert [name for name in words[:-1] if not (ROOT / name).exists()] == []
    if path.name == "Containerfile":
        assert f"USER {USER}:{USER}" in text
        assert f"--uid {USER} --gid {USER}" in text
        ports = re.search(r"^EXPOSE (.*)", text, re.MULTILINE)
        assert ports is not None
        assert ports[1].split() == ["8891", "9469"]


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_commands_of_an_image(path: Path) -> None:
    """What is run of filterd is a command of filterd, what is run of this checkout is a module of it."""
    commands = getattr(typer.main.get_command(app), "commands")  # noqa: B009  # a group of a class that typer does not export
    text = path.read_text()
    asked = re.findall(r'CMD \["filterd", "(\w+)"', text)
    if 'ENTRYPOINT ["filterd"]' in text:
        asked += re.findall(r'^CMD \["(\w+)"', text, re.MULTILINE)
    assert set(asked) <= set(commands)
    for module in re.findall(r"python -m (deploy[\w.]+)", text):
        assert (ROOT / f"{module.replace('.', '/')}.py").exists()


def test_compose() -> None:
    """Images are built from files that are there; what is named of volumes, networks, secrets, services is declared."""
    services = COMPOSE["services"]
    for name, service in services.items():
        if "build" in service:
            assert (CONTAINER / service["build"]["context"] / service["build"]["dockerfile"]).exists(), name
        assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= set(COMPOSE["volumes"])
        assert set(service["networks"]) <= set(COMPOSE["networks"])
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
        assert set(service.get("depends_on", {})) <= set(services)
    health = re.search(r"127\.0\.0\.1:(\d+)(/\w+)'", (CONTAINER / "Containerfile").read_text())
    assert health is not None
    assert health.groups() == ("9469", "/readyz")
    assert COMPOSE["networks"]["inside"]["internal"]
    assert [name for name, service in services.items() if "ports" in service] == ["postfix"]


def test_compose_fits_the_configuration(tmp_path: Path) -> None:
    """The daemon finds Redis, PostgreSQL, Postfix and its password under the names that compose gives them."""
    config = loaded(CONFIGURATIONS["compose"], tmp_path)
    services = set(COMPOSE["services"])
    assert re.split(r"[/:@]+", config.redis.url)[1] in services
    assert re.split(r"[/@?]+", config.quarantine.url)[2] in services
    assert config.quarantine.listener.host in services
    tables = tomllib.loads(CONFIGURATIONS["compose"])
    assert tables["quarantine"]["password_file"] == f"/run/secrets/{next(iter(COMPOSE['secrets']))}"
    assert "inet:filterd:8891" in (CONTAINER / "main.cf").read_text()
    assert f":uid={USER},gid={USER}" in COMPOSE["services"]["filterd"]["tmpfs"][1]


def test_kubernetes_objects_belong_together() -> None:
    """Selectors find the pods, mounts are of volumes, ports have the names that others use."""
    labels = of_kind("StatefulSet")["spec"]["template"]["metadata"]["labels"]
    selectors = [one["spec"]["selector"] for one in OBJECTS if one["kind"] == "Service"]
    selectors += [of_kind(kind)["spec"]["selector"]["matchLabels"] for kind in ("StatefulSet", "PodDisruptionBudget")]
    selectors.append(of_kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"])
    assert [one for one in selectors if not one.items() <= labels.items()] == []
    (container,) = pod()["containers"]
    volumes = {one["name"] for one in pod()["volumes"]}
    volumes |= {one["metadata"]["name"] for one in of_kind("StatefulSet")["spec"]["volumeClaimTemplates"]}
    assert {one["name"] for one in container["volumeMounts"]} == volumes
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    for service in [one for one in OBJECTS if one["kind"] == "Service"]:
        assert {one["targetPort"] for one in service["spec"]["ports"]} <= ports.keys()
    rules = of_kind("NetworkPolicy")["spec"]["ingress"]
    assert {port["port"] for rule in rules for port in rule["ports"]} == ports.keys()
    assert of_kind("StatefulSet")["spec"]["serviceName"] in {
        one["metadata"]["name"] for one in OBJECTS if one["kind"] == "Service"
    }


def test_probes_ask_for_what_is_answered(tmp_path: Path) -> None:
    """Paths are those of the daemon, on the port of its metrics, and it may finish its sessions when it is stopped."""
    (container,) = pod()["containers"]
    config = loaded(CONFIGURATIONS["kubernetes"], tmp_path)
    known = probes(Pulse(), Metrics.create(1), config.milter.address)
    for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[kind]["httpGet"]
        assert asked["path"] in known, kind
        assert asked["port"] == "metrics"
    assert pod()["terminationGracePeriodSeconds"] > config.limits.drain


def test_kubernetes_fits_the_configuration() -> None:
    """Secrets are where the configuration looks for them, private, and everything is written where a volume is."""
    tables = tomllib.loads(CONFIGURATIONS["kubernetes"])
    (container,) = pod()["containers"]
    mounts = {one["mountPath"] for one in container["volumeMounts"]}
    asked = [table[key] for table in tables.values() for key in ACCOUNT_KEYS if key in table]
    assert {str(Path(path).parent) for path in asked} == {"/run/secrets/filterd"}
    made = re.search(r"create secret generic filterd (.*)", KUBERNETES.read_text())
    assert made is not None
    assert {Path(path).name for path in asked} == set(re.findall(r"--from-file=(\w+)", made[1]))
    runtime = str(Path(tables["paths"]["runtime"]).parent)
    assert {"/run/secrets/filterd", tables["paths"]["state"], runtime, "/etc/filterd"} <= mounts
    secret = next(one["secret"] for one in pod()["volumes"] if "secret" in one)
    assert secret["defaultMode"] & 0o007 == 0
    context = pod()["securityContext"]
    assert (context["runAsUser"], context["fsGroup"], context["runAsNonRoot"]) == (USER, USER, True)
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["args"][0] in getattr(typer.main.get_command(app), "commands")  # noqa: B009  # as above


def test_postfix_of_the_image_finds_filterd(tmp_path: Path) -> None:
    """Its commands, run here: no daemon is shut up where no name is found; both listeners are there."""
    require_program("postconf")
    text = (CONTAINER / "postfix.Containerfile").read_text().replace("\\\n", " ")
    shutil.copyfile(CONTAINER / "main.cf", tmp_path / "main.cf")
    shutil.copyfile(CONTAINER / "master.cf", tmp_path / "added.cf")
    (command,) = [line for line in re.findall(r"^RUN (.*)", text, re.MULTILINE) if "master.cf.dist" in line]
    command = command.replace("/etc/postfix/", f"{tmp_path}/").replace("/tmp/master.cf", f"{tmp_path}/added.cf")
    command = command.replace("postconf ", f"postconf -c {tmp_path} ")
    subprocess.run(["sh", "-ec", command], check=True)
    services = [line.split() for line in asked(tmp_path, "-M")]
    assert [line for line in services if line[4] != "n"] == []
    assert {"smtp", "10026"} <= {line[0] for line in services if line[1] == "inet"}
    assert "inet:filterd:8891" in " ".join(asked(tmp_path, "-h", "smtpd_milters"))


def asked(folder: Path, *arguments: str) -> list[str]:
    """What Postfix itself reads there; a line that it does not know is an error."""
    done = subprocess.run(["postconf", "-c", str(folder), *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()

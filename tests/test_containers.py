"""The container files of ``deploy/``: what of them can be checked without Docker.

The Dockerfile's steps run in a clean directory (long: every library comes from the lock). compose.yaml is held against the schema of Compose
files, and every command in both against the programs that are installed here.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
LONG = bool(os.environ.get("LONG_TESTS"))


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions, with continued lines joined."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line.strip())]


def stages() -> list[list[tuple[str, str]]]:
    """Return the instructions of each stage."""
    found: list[list[tuple[str, str]]] = []
    for word, rest in instructions():
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest))
    return found


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def test_the_image_has_two_stages_and_runs_as_nobody_special() -> None:
    build, final = stages()

    assert build[0][1].endswith(" AS build")
    assert dict(final)["USER"] == "10001:10001"
    assert ("COPY", "--from=build /usr/local/roster_etl /usr/local/roster_etl") in final
    assert not [rest for word, rest in final if word == "RUN" and "pip" in rest]
    assert {"HEALTHCHECK", "EXPOSE", "CMD"} <= set(dict(final))
    assert all("--require-hashes" in rest or "--no-index" in rest for word, rest in build if "pip install" in rest)


def test_everything_that_is_copied_is_in_the_context_and_nothing_else() -> None:
    copied = [name for word, rest in stages()[0] if word == "COPY" for name in rest.split()[:-1]]
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    allowed = {line.removeprefix("!") for line in ignored if line.startswith("!")}

    assert set(copied) == allowed
    assert all((ROOT / name).exists() for name in copied)
    assert "*" in ignored


def commands(compose: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield every command that our image runs, with where it stands."""
    final = dict(stages()[1])
    yield "Dockerfile CMD", json.loads(final["CMD"])
    yield "Dockerfile HEALTHCHECK", json.loads(final["HEALTHCHECK"].partition(" CMD ")[2])
    for name, service in compose["services"].items():
        if not service["image"].startswith("roster-etl"):
            continue
        for words in (service.get("command"), service.get("healthcheck", {}).get("test")):
            match words:
                case ["sh", "-c", text] | ["CMD-SHELL", text]:
                    for part in text.split("&&"):
                        yield name, shlex.split(part)
                case ["CMD", *rest]:
                    yield name, rest
                case [*rest]:
                    yield name, list(rest)


MODULES = {"dagster": "dagster._cli", "dagster-daemon": "dagster._daemon.cli", "dagster-webserver": "dagster_webserver.cli"}


def options_of(program: str, words: list[str]) -> set[str]:
    """Return the options of a program of Dagster's, after its sub-commands in `words`."""
    found = import_module(MODULES[program]).cli
    while words and hasattr(found, "commands"):
        found = found.commands[words.pop(0)]
    return {option for parameter in found.params for option in parameter.opts}


def test_every_command_of_the_image_names_a_program_and_options_that_it_has(compose: dict[str, Any]) -> None:
    found = list(commands(compose))
    assert len(found) >= 10
    for where, (program, *rest) in found:
        assert (Path(sys.executable).parent / program).exists() or program == "python", (where, program)
        if program.startswith("dagster"):
            missing = {word for word in rest if word.startswith("--")} - options_of(program, list(rest))
            assert missing == set(), where


def test_our_own_commands_in_compose_can_be_called(compose: dict[str, Any]) -> None:
    from tests.cli.test_app import _wrong

    ours = [shlex.join(words) for _, words in commands(compose) if words[0] == "roster-etl"]

    assert len(ours) == 2
    assert [text for text in ours if _wrong(text)] == []


def test_the_celery_application_of_the_worker_takes_the_address_that_the_setup_writes(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("dagster_celery")
    from roster_etl.orchestration.runtime import celery_executor

    for line in setup(tmp_path).read_text().splitlines():
        monkeypatch.setenv(*line.split("=", 1))

    assert celery_executor.celery_app().conf.broker_url.endswith("@broker:6379/0")


def test_compose_fits_the_schema_of_compose_files(compose: dict[str, Any]) -> None:
    builtin = pytest.importorskip("check_jsonschema", reason="check-jsonschema has the schema of Compose files")
    schema = json.loads((Path(builtin.__path__[0]) / "builtin_schemas" / "vendor" / "compose-spec.json").read_text())

    jsonschema.validate(compose, schema)
    with pytest.raises(jsonschema.ValidationError):  # the schema would notice
        jsonschema.validate({**compose, "services": {"x": {"image": "y", "prots": ["1:1"]}}}, schema)


def test_compose_names_only_what_there_is(compose: dict[str, Any]) -> None:
    services, volumes = compose["services"], compose["volumes"]
    assert {"postgres", "webserver", "daemon", "worker", "sftp", "code", "broker", "migrate"} == set(services)
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services), name
        for wanted, how in service.get("depends_on", {}).items():
            healthy = how["condition"] == "service_healthy"
            assert not healthy or wanted == "code" or "healthcheck" in services[wanted], (name, wanted)
        for mount in service.get("volumes", ()):
            source = mount.partition(":")[0]
            assert source in volumes or source.startswith("./compose/secrets/") or (DEPLOY / source).exists(), mount
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), "the UI has no log-in"
        assert set(service.get("secrets", ())) <= set(compose["secrets"])


def test_dagsters_settings_in_the_containers_are_those_of_a_cluster() -> None:
    ours = yaml.safe_load((DEPLOY / "compose" / "dagster.yaml").read_text())

    assert ours.pop("run_launcher")["class"] == "CeleryRunLauncher"
    assert ours == yaml.safe_load((DEPLOY / "dagster.yaml").read_text())


def test_one_image_everywhere(compose: dict[str, Any]) -> None:
    import tomllib

    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    values = yaml.safe_load((DEPLOY / "values.yaml").read_text())
    images = {service["image"] for service in compose["services"].values() if "build" in service}

    assert images == {f"roster-etl:{version}"}
    assert values["dagsterWebserver"]["image"]["tag"] == version
    assert values["dagsterDaemon"]["image"] == values["dagsterWebserver"]["image"]
    assert values["dagsterWebserver"]["image"]["repository"].endswith("/roster-etl")
    arguments = values["dagster-user-deployments"]["deployments"][0]["dagsterApiGrpcArgs"]
    assert arguments[1] in dict(stages()[1])["CMD"]


def setup(folder: Path) -> Path:
    """Run the set-up for a folder; return the file with the environment."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    subprocess.run(["sh", str(DEPLOY / "compose" / "setup.sh"), str(folder)], check=True, capture_output=True)
    return folder / "roster_etl.env"


def test_the_setup_makes_secrets_once_and_a_known_hosts_that_pins_the_server(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    setup(folder)
    before = {file.name: file.read_text() for file in folder.iterdir()}
    setup(folder)

    assert {file.name: file.read_text() for file in folder.iterdir()} == before
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert before["known_hosts"].split()[:2] == ["sftp", "ssh-ed25519"]
    assert before["known_hosts"].split()[2] == before["ssh_host_ed25519_key.pub"].split()[1]
    assert len(before["postgres"]) == 32
    assert before["postgres"] in before["roster_etl.env"]
    assert {"postgres", "known_hosts", "sftp_users", "ssh_host_ed25519_key", "broker.conf", "roster_etl.env"} <= set(before)
    used = set(re.findall(r"compose/secrets/([\w.]+)", (DEPLOY / "compose.yaml").read_text()))
    assert used <= set(before)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not LONG, reason="minutes: installs every library of both locks; LONG_TESTS=1 runs it")
def test_the_steps_of_the_dockerfile_make_a_program_that_runs(tmp_path: Path) -> None:
    """Run COPY and RUN of the build stage below `tmp_path`, then the image's commands with what came out."""
    source, opt = tmp_path / "src", tmp_path / "opt" / "roster_etl"
    source.mkdir()
    for word, rest in stages()[0]:
        if word == "COPY":
            *names, _ = rest.split()
            for name in names:
                copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
                copy(ROOT / name, source / name, **({"symlinks": True} if (ROOT / name).is_dir() else {}))
        elif word == "RUN":
            step = rest.replace("/usr/local/roster_etl", str(opt)).replace("python -m venv", f"{sys.executable} -m venv")
            done = subprocess.run(["sh", "-c", step], cwd=source, capture_output=True, text=True, check=False)
            assert done.returncode == 0, (step, done.stderr[-2000:])
    environment = {"PATH": f"{opt}/bin:/usr/bin:/bin", "HOME": str(tmp_path), "ROSTER_ETL_HOME": str(tmp_path / "home")}
    (tmp_path / "home").mkdir(mode=0o700)

    def run(*words: str) -> str:
        return subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout

    assert run("roster-etl", "--version").startswith("roster-etl ")
    run("roster-etl", "sample", "clever", "upload", "--students", "20")
    assert json.loads(run("roster-etl", "check", "upload", "--json"))["status"] == "publishable"
    assert "grpc-health-check" in run("dagster", "api", "--help")
    assert "inspect" in run("celery", "--help")

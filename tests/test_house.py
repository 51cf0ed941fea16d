"""The house in order: files that are tracked, words that are promised, and settings that stand in two places."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from roster_etl.quality import gx_client
from tests.parsing import parsed

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.lock", "requirements-cluster.lock", "requirements-dev.lock")
SOURCES = sorted((ROOT / "roster_etl").rglob("*.py"))
MAKE_TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def tracked() -> list[Path]:
    """Return the files under version control, or all that are not built, in a copy without git."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode == 0:
        return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]
    built = {".venv", ".git", "build", "__pycache__"}
    return [path for path in ROOT.rglob("*") if path.is_file() and not built & set(path.parts) and path.suffix != ".pyc"]


def texts() -> list[tuple[str, str]]:
    """Return the name and the text of every tracked text file."""
    found = []
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content:
            found.append((str(path.relative_to(ROOT)), content.decode("utf-8", "replace")))
    return found


def test_no_tracked_file_names_a_place_on_somebodys_machine():
    place = re.compile(r"(?<![\w.~/-])/(?:root|Users|work|opt|mnt)/[\w.-]+")
    found = [f"{name}: {hit}" for name, text in texts() for hit in place.findall(text)]

    assert found == []


def test_lock_files_name_no_package_index():
    for lock in LOCKS:
        text = (ROOT / lock).read_text()

        assert not re.search(r"://|--index|--find-links", text), lock


def test_every_requirement_of_the_locks_is_pinned_by_hash():
    for lock in LOCKS:
        for entry in re.split(r"\n(?=\S)", (ROOT / lock).read_text()):
            if entry.startswith("#"):
                continue

            assert "==" in entry.split("\\")[0], entry.splitlines()[0]
            assert "--hash=sha256:" in entry, entry.splitlines()[0]


def test_all_locks_agree_on_every_shared_package():
    runtime, cluster, development = (
        dict(re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / lock).read_text(), re.MULTILINE)) for lock in LOCKS
    )
    runtime.pop("setuptools")  # builds the package; a cluster's lock does not

    assert {name: cluster.get(name) for name in runtime} == runtime
    assert {name: development.get(name) for name in cluster} == cluster


def test_the_licence_page_covers_what_runs():
    locked = {
        package for lock in LOCKS[:2] for package in re.findall(r"^([\w.-]+==[^\s;\\]+)", (ROOT / lock).read_text(), re.MULTILINE)
    }
    listed = {
        f"{name}=={version}"
        for name, version in re.findall(r"^\| ([\w.-]+) \| (\S+) \|", (ROOT / "docs/licences.md").read_text(), re.MULTILINE)
    }

    assert locked - listed == set()


def test_the_bill_of_materials_is_that_of_the_lock():
    locked = set(re.findall(r"^([\w.-]+==[^\s;\\]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    bill = json.loads((ROOT / "docs/sbom.cdx.json").read_text("utf-8"))
    parts = bill["components"]

    assert locked - {f"{part['name']}=={part['version']}" for part in parts} == set()
    assert len({part["purl"] for part in parts}) == len(parts) == len(bill["dependencies"][0]["dependsOn"])
    assert all(part["licenses"] for part in parts)


def test_the_page_on_security_names_tests_that_exist():
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", (ROOT / "docs/security.md").read_text("utf-8"))
    missing = [f"{file}::{test}" for file, test in named if f"def {test}(" not in (ROOT / "tests" / file).read_text("utf-8")]

    assert len(named) > 40
    assert missing == []


def test_nobody_is_told_that_we_run():
    for place in ("dagster.yaml", "dagster_home/dagster.yaml"):
        settings = yaml.safe_load((ROOT / place).read_text("utf-8"))
        assert (settings["telemetry"], settings["nux"]) == ({"enabled": False}, {"enabled": False})
    assert gx_client._environment()["GX_ANALYTICS_ENABLED"] == "false"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is(path):
    assert ast.get_docstring(parsed(path)), "a module says what belongs in it and what does not"


@pytest.mark.parametrize("path", sorted((ROOT / "roster_etl/spec").glob("*.py")), ids=lambda path: path.name)
def test_the_language_of_promises_needs_the_standard_library_only(path):
    imports = {
        name.split(".")[0]
        for node in ast.walk(parsed(path))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }

    assert imports <= set(sys.stdlib_module_names) | {"roster_etl"}


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_the_make_targets_that_a_document_names_exist(document):
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", (ROOT / document).read_text(), re.MULTILINE))

    assert named <= MAKE_TARGETS


def test_links_between_documents_lead_somewhere():
    missing = [
        f"{page.relative_to(ROOT)} → {link}"
        for page in tracked()
        if page.suffix == ".md"
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
        if "://" not in link and not (page.parent / link).exists()
    ]

    assert missing == []


def test_dagster_finds_the_same_settings_with_and_without_a_home_named():
    named = yaml.safe_load((ROOT / "dagster_home/dagster.yaml").read_text())
    unnamed = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    places = {key: unnamed.pop(key) for key in ("storage", "compute_logs", "local_artifact_storage")}

    assert unnamed == named
    assert {str(place).count("dagster_home") for place in places.values()} == {1}


def test_the_workspace_and_the_project_name_the_same_definitions():
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"][0]["python_module"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["dagster"]

    assert (workspace["module_name"], workspace["location_name"]) == (project["module_name"], project["code_location_name"])


@pytest.mark.parametrize(
    "module", ["roster_etl.cli", "roster_etl.pipeline", "roster_etl.engine", "roster_etl.store", "roster_etl.vendors"]
)
def test_a_room_opens_without_dagster_and_great_expectations(module):
    code = f"import sys, {module}; print(*sorted({{'dagster', 'great_expectations'}} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert loaded.stdout.strip() == ""

"""The house in order: files that are tracked, words that are promised, and settings that stand in two places."""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
import tokenize
import tomllib
from pathlib import Path

import pytest
import yaml

from roster_etl.orchestration.runtime.compact_event_log import CLASS, MODULE
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
    for place in ("dagster.yaml", "dagster_home/dagster.yaml", "roster_etl/orchestration/runtime/default_dagster.yaml"):
        settings = yaml.safe_load((ROOT / place).read_text("utf-8"))
        assert (settings["telemetry"], settings["nux"]) == ({"enabled": False}, {"enabled": False})
    assert gx_client._environment()["GX_ANALYTICS_ENABLED"] == "false"


def test_every_module_says_what_belongs_in_it():
    assert [str(path.relative_to(ROOT)) for path in SOURCES if not ast.get_docstring(parsed(path))] == []


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


def test_the_architecture_page_names_modules_that_exist():
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    modules = [f"/{path.relative_to(ROOT)}" for path in SOURCES]
    named = set(re.findall(r"(?<![\w/>])[a-z_/]+\.py\b", page))

    assert len(named) > 30
    assert [name for name in sorted(named) if not any(module.endswith(f"/{name}") for module in modules)] == []


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
    mine, theirs = named.pop("storage")["custom"], places["storage"]["custom"]

    packaged = yaml.safe_load((ROOT / "roster_etl/orchestration/runtime/default_dagster.yaml").read_text())

    packaged.pop("storage")
    assert unnamed == named == packaged
    assert (mine["module"], mine["class"]) == (theirs["module"], theirs["class"]) == (MODULE, CLASS)
    assert {str(place).count("dagster_home") for place in places.values()} == {1}


def test_no_module_looks_above_the_package():
    places = re.compile(r"\.parents\[\d|\bPROJECT\b")
    above = [f"{path.relative_to(ROOT)}: {hit}" for path in SOURCES for hit in places.findall(path.read_text("utf-8"))]

    assert above == []


def test_the_workspace_and_the_project_name_the_same_definitions():
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"][0]["python_module"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["dagster"]

    of_homes = yaml.safe_load((ROOT / "roster_etl/orchestration/runtime/default_workspace.yaml").read_text())["load_from"]

    assert of_homes == [{"python_module": workspace}]
    assert (workspace["module_name"], workspace["location_name"]) == (project["module_name"], project["code_location_name"])


def test_rooms_open_without_dagster_and_great_expectations():
    rooms = ("roster_etl.vendors", "roster_etl.engine", "roster_etl.store", "roster_etl.pipeline", "roster_etl.cli")
    code = (
        "import importlib, json, sys; slow = {'dagster', 'great_expectations', 'sqlalchemy.orm'}; "
        f"print(json.dumps({{room: importlib.import_module(room) and sorted(slow & set(sys.modules)) for room in {rooms}}}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert json.loads(done.stdout) == {room: [] for room in rooms}


def imports_of_private_names(tree: ast.Module) -> list[str]:
    """Return the names with an underscore that a module imports from another one of the package."""
    return [
        f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("roster_etl")
        for alias in node.names
        if alias.name.startswith("_") and not alias.name.startswith("__")
    ]


def test_a_private_import_is_found():
    tree = ast.parse(
        "from roster_etl.spec import _hidden, Column\nfrom roster_etl import __version__\nfrom dagster import _core\n"
    )

    assert imports_of_private_names(tree) == ["roster_etl.spec._hidden"]


def test_no_module_imports_a_private_name_of_another():
    found = [f"{path.relative_to(ROOT)}: {name}" for path in SOURCES for name in imports_of_private_names(parsed(path))]

    assert found == []


def test_no_two_public_classes_have_one_name():
    places: dict[str, list[str]] = {}
    mirrored = ROOT / "roster_etl/orchestration/components.py"  # declares what the registry has, under the same names
    for path in (path for path in SOURCES if path != mirrored):
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(str(path.relative_to(ROOT)))

    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def checked(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run one check of `make lint` in the project's folder."""
    return subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_misspelled_word_fails_the_spelling_check(tmp_path):
    typos = (Path(sys.executable).parent / "typos", "--config", ROOT / "pyproject.toml")
    page = tmp_path / "page.md"
    page.write_text("Districts " + "reci" + "eve a report.\n")
    failed = checked(*typos, page)
    page.write_text("Districts receive a report.\n")

    assert (failed.returncode, "receive" in failed.stdout) == (2, True)
    assert checked(*typos, page).returncode == 0


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("s3.py", 'KEY = "' + "AKIA" + 'QZ7NX4VJ2LWTRB5M"\n', "AWS Access Key"),
        ("feed.toml", "pass" + 'word = "Xk29vQlmRt"\n', "Secret Keyword"),
        ("warehouse.toml", 'url = "postgresql://ann:' + 'Xk29vQlm@db.lincoln.k12/roster"\n', "Basic Auth Credentials"),
        ("id_ed25519", "-----BEGIN OPENSSH " + "PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n", "Private Key"),
    ],
)
def test_a_credential_fails_the_secrets_check_and_is_not_printed(tmp_path, name, text, kind):
    (tmp_path / name).write_text(text)
    failed = checked(sys.executable, "tools/find_secrets.py", tmp_path / name)

    assert (failed.returncode, kind in failed.stdout, failed.stderr) == (1, True, "")
    assert not any(value in failed.stdout for value in ("QZ7NX4VJ", "Xk29vQlm", "b3BlbnNz"))


def test_a_file_that_names_where_a_password_is_kept_passes_the_secrets_check(tmp_path):
    (tmp_path / "feed.toml").write_text('password_env = "RIVERSIDE_SFTP_PASSWORD"\nuser = "riverside"\n')

    assert checked(sys.executable, "tools/find_secrets.py", tmp_path / "feed.toml").returncode == 0


def test_lint_and_the_commit_hooks_run_the_same_checks():
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    entries = " ".join(hook["entry"] for repo in hooks for hook in repo["hooks"])

    assert recipe
    assert [repo["repo"] for repo in hooks] == ["local"]
    for check in ("ruff check", "ruff format", "typos", "tools/find_secrets.py", "tools/check_wording.py"):
        assert check in recipe[1], check
        assert check in entries, check


def prose(source: str) -> str:
    """Return the docstrings and comments of a module."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = [ast.get_docstring(node) or "" for node in ast.walk(ast.parse(source)) if isinstance(node, documented)]
    comments = [
        token.string for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.type == tokenize.COMMENT
    ]
    return "\n".join(docstrings + comments)


def cited_documents(source: str) -> list[str]:
    """Return the Markdown documents that a module's docstrings and comments name."""
    return re.findall(r"[\w./-]*\w\.md\b(?!\()", prose(source)) if ".md" in source else []


def test_a_citation_is_found_in_docstrings_and_comments_and_nowhere_else():
    source = (
        '"""Source: docs/tables.md."""\nlines = MetadataValue.md("README.md")  # as in NOTES.md, and MetadataValue.md(text)\n'
    )

    assert cited_documents(source) == ["docs/tables.md", "NOTES.md"]


def test_docstrings_and_comments_cite_only_documents_of_this_repository():
    documents = [f"/{path.relative_to(ROOT)}" for path in tracked() if path.suffix == ".md"]
    dead = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in SOURCES
        for name in cited_documents(path.read_text("utf-8"))
        if not any(document.endswith(f"/{name}") for document in documents)
    ]

    assert dead == []

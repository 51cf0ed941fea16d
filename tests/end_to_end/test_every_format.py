"""Every format there is, all the way: by the command and by the sensor, on SQLite and on PostgreSQL.

A new vendor's folder is found and driven here without a change.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from roster_etl.demo_server.sftp_server import Account, SftpServer
from roster_etl.orchestration.definitions import JOBS, defs
from roster_etl.orchestration.jobs.archive_upload import archive_upload
from roster_etl.orchestration.jobs.in_process_runs import home_instance
from roster_etl.orchestration.runtime.current_home import use_home
from roster_etl.orchestration.sensors.landing_sensor import landing_zone_sensor
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import NoNextDay, write_next_day, write_sample
from roster_etl.spec import Choice, File
from roster_etl.spec.options import timing_option_names
from roster_etl.spec.replacements import replacement_codes
from roster_etl.store.registry.registry import District, Feed
from roster_etl.vendors import Vendor, discover_vendors
from roster_etl.vendors.lineage import tables_of
from tests.cli.calling import call
from tests.sampling import ALL
from tests.stored import stored_bytes

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("prepared_storage")]
PASSWORD = "open-Sesame-4711"
SECRET = "not-even-hashed-0815"
MOST_STAGED = 15  # files that one import leaves in staging
LATER = {"id_changes"}  # tables that no first upload fills
VENDORS = [pytest.param(vendor, id=name) for name, vendor in discover_vendors().items()]
# What is written depends on the kind of a format: PostgreSQL needs one of each. Whole files come to it by the sensor.
BY_COMMAND = [
    *(pytest.param(vendor, "sqlite", id=f"sqlite-{name}") for name, vendor in discover_vendors().items()),
    *(
        pytest.param(discover_vendors()[name], "postgresql", id=f"postgresql-{name}", marks=pytest.mark.pg)
        for name in (discover_vendors() if ALL else ("canvas", "oneroster"))
    ),
]
# The sensor makes the run, and the run publishes by the code of the command.
BY_SENSOR = [
    *(pytest.param(vendor, "sqlite", id=f"sqlite-{name}") for name, vendor in discover_vendors().items()),
    pytest.param(discover_vendors()["clever"], "postgresql", id="postgresql-clever", marks=pytest.mark.pg),
]


@pytest.fixture
def home_of(tmp_path: Path, warehouse_url: str) -> Path:
    """A home whose warehouse is SQLite, or PostgreSQL."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "roster_etl.toml").write_text(f'[warehouse]\nurl = "{warehouse_url}"\n', encoding="utf-8")
    return home


@pytest.mark.sampled
@pytest.mark.parametrize(("vendor", "warehouse_url"), BY_COMMAND, indirect=["warehouse_url"])
def test_a_sample_is_imported_by_command_and_so_is_its_next_day(vendor: Vendor, home_of: Path, tmp_path: Path) -> None:
    name = vendor.format.name
    write_sample(vendor, tmp_path / "a", students=30, seed=5)
    first = call("import", tmp_path / "a", "--district", "lincoln", "--format", name, "--json", home=home_of)
    again = call("import", tmp_path / "a", "--district", "lincoln", "--json", home=home_of)

    assert (first.code, first.document["status"], first.document["source"]) == (0, "published", name)
    assert {f["severity"] for d in _parts(first.document) for f in d["findings"]} <= {"info"}
    assert all(f["rows_read"] == f["rows_accepted"] > 0 for d in _parts(first.document) for f in d["files"])
    assert _created(_parts(first.document)) == set(tables_of(vendor)) - LATER
    assert (again.code, again.document["status"]) == (0, "unchanged")
    imports = [path for path in (home_of / "staging" / "lincoln").iterdir() if path.is_dir()]
    assert all(sum(file.is_file() for file in path.rglob("*")) <= MOST_STAGED for path in imports)

    try:
        changes = write_next_day(vendor, tmp_path / "a", tmp_path / "b", seed=6)
    except NoNextDay:
        return
    second = call("import", tmp_path / "b", "--district", "lincoln", "--json", home=home_of)
    refused = {file["kind"]: file["rows_rejected"] for d in _parts(second.document) for file in d["files"]}

    assert (second.code, second.document["status"]) == (0, "published")
    assert {change.file for change in changes if change.kind == "refused"} <= {kind for kind, count in refused.items() if count}
    assert {table for table, change in second.document["changes"].items() if any(change.values())}


@pytest.mark.sftp
@pytest.mark.parametrize(("vendor", "warehouse_url"), BY_SENSOR, indirect=["warehouse_url"])
def test_an_upload_by_sftp_is_seen_by_the_sensor_and_imported(
    vendor: Vendor, home_of: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINCOLN_PASSWORD", PASSWORD)
    name = vendor.format.name
    with SftpServer(tmp_path / "sftp", [Account(user="lincoln", password=PASSWORD)]) as server:
        write_sample(vendor, server.home("lincoln"), students=30, seed=5)
        _register(home_of, name, path=server.url("lincoln"), known_hosts=str(server.known_hosts), password_env="LINCOLN_PASSWORD")
        with use_home(home_of), home_instance(home_of) as instance:
            runs = _runs_of_the_sensor(instance, len(vendor.format.file_sets))
            assert runs[0].dagster_run.job_name == f"import_{name}"
            assert {run.dagster_run.tags["district"] for run in runs} == {"lincoln"}
            assert all(run.success for run in runs)

    documents = _documents(home_of)
    assert [(d["status"], d["source"], d["run_id"]) for d in documents] == [("published", name, run.run_id) for run in runs]
    assert _created(documents) == set(tables_of(vendor)) - LATER


@pytest.mark.parametrize("vendor", VENDORS)
def test_an_upload_without_a_required_file_is_rejected_and_nothing_is_processed(
    vendor: Vendor, home: Path, tmp_path: Path
) -> None:
    main = set(vendor.format.file_sets[0].files)
    for file in (file for file in vendor.format.files if file.required and file.name in main):
        folder = tmp_path / file.name
        write_sample(vendor, folder, students=5, seed=5)
        for other in vendor.format.files:
            if other is file or other.name not in main:
                (folder / other.file_name).unlink(missing_ok=True)
        answer = call("check", folder, "--format", vendor.format.name, "--json", home=home)

        assert (answer.code, answer.document["status"], answer.document["changes"]) == (3, "rejected", {})
        assert [(f["severity"], f["code"], f["file"]) for f in answer.document["findings"]] == [
            ("upload", "missing_file", file.file_name)
        ]


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_file_that_is_none_of_the_formats_is_told_and_not_read(vendor: Vendor, home: Path, tmp_path: Path) -> None:
    write_sample(vendor, tmp_path / "a", students=5, seed=5)
    (tmp_path / "a" / "Staff_of_2019.csv").write_text("name\nNobody\n", encoding="utf-8")
    answer = call("check", tmp_path / "a", "--format", vendor.format.name, "--json", home=home)
    found = [(f["severity"], f["code"], f["file"]) for f in answer.document["findings"] if f["severity"] != "info"]

    assert answer.document["status"] == "publishable"
    told = [("warning", "unexpected_file", "Staff_of_2019.csv")] if vendor.format.extra_files == "warn" else []
    by_headers = [("file", "unrecognised_headers", "Staff_of_2019.csv")]

    assert found == (by_headers if vendor.format.identify_by == "headers" else told)


@pytest.mark.usefixtures("direct_imports")
@pytest.mark.parametrize("vendor", VENDORS)
def test_a_password_column_that_no_document_names_rests_nowhere(vendor: Vendor, home: Path, tmp_path: Path) -> None:
    write_sample(vendor, tmp_path / "a", students=5, seed=5)
    for file in (tmp_path / "a").iterdir():
        header, *rows = file.read_text(encoding="utf-8").splitlines()
        if "assword" not in header:
            file.write_text("\n".join([f"{header},Password", *(f"{row},{SECRET}" for row in rows)]) + "\n", encoding="utf-8")
    call("import", tmp_path / "a", "--district", "lincoln", "--format", vendor.format.name, home=home)

    assert [path for path in home.rglob("*") if path.is_file() and SECRET.encode() in stored_bytes(path)] == []


@pytest.mark.usefixtures("direct_imports")
@pytest.mark.parametrize("vendor", VENDORS)
def test_a_districts_own_codes_are_replaced_counted_and_never_shown(vendor: Vendor, home: Path, tmp_path: Path) -> None:
    write_sample(vendor, tmp_path / "a", students=20, seed=5)
    file, column = _coded(vendor, tmp_path / "a")
    codes = _rewritten(tmp_path / "a" / file.file_name, column)
    rules = tmp_path / "rules.toml"
    rules.write_text("\n".join([f'["{column.upper()}"]', *(f'"OWN-{code.upper()}" = "{code}"' for code in codes)]), "utf-8")
    words = ("districts", "add", "lincoln", "--format", vendor.format.name, "--replacements", rules)
    assert call(*words, home=home).code == 0

    first = call("import", tmp_path / "a", "--district", "lincoln", "--json", home=home).document
    told = [f for f in first["findings"] if f["code"] == "replaced"]

    assert first["status"] == "published"
    assert [(f["severity"], f["file"], f["row"], f["field"]) for f in told] == [("info", file.file_name, None, column)]
    assert told[0]["count"] == sum(codes.values())
    assert "own-" not in str(first).casefold()
    assert call("import", tmp_path / "a", "--district", "lincoln", "--json", home=home).document["status"] == "unchanged"

    rules.write_text(f'{rules.read_text("utf-8")}\nunused = "{next(iter(codes))}"\n', "utf-8")
    assert call(*words, "--update", home=home).code == 0
    again = call("import", tmp_path / "a", "--district", "lincoln", "--json", home=home).document
    assert (again["status"], any(any(change.values()) for change in again["changes"].values())) == ("published", False)


def _coded(vendor: Vendor, upload: Path) -> tuple[File, str]:
    """Return a column of codes that is no id, and has some in `upload`."""
    return next(
        (file, column.name)
        for file in vendor.format.files
        for column in file.columns
        if isinstance(column.cell_format, Choice)
        and not column.cell_format.ranges
        and replacement_codes(file, column.name, {column.name: {"a": "b"}})
        and _has_cells(upload / file.file_name, column.name)
    )


def _has_cells(path: Path, column: str) -> bool:
    if not path.exists():
        return False
    with path.open(encoding="utf-8", newline="") as text:
        return any(row.get(column) for row in csv.DictReader(text))


def _rewritten(path: Path, column: str) -> Counter[str]:
    """Give every code of `column` a name of the district's own, and return how often each code stood there."""
    with path.open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    codes = Counter(row[column] for row in rows if row[column])
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {column: f"own-{row[column]}" if row[column] else ""} for row in rows)
    return codes


def _register(home: Path, name: str, **feed: str) -> None:
    waits = timing_option_names(discover_vendors()[name].format)
    options = {wait: "0" for wait in waits if wait.endswith(("quiet_period", "min_interval"))}
    Workspace.open(home).registry.add(District(id="lincoln", feeds=(Feed(format=name, options=options, **feed),)))


def _parts(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what is told of each set of files that lay together."""
    return [document, *document.get("further", [])]


def _created(documents: list[dict[str, Any]]) -> set[str]:
    return {table for document in documents for table, change in document["changes"].items() if change["created"]}


def _runs_of_the_sensor(instance: dg.DagsterInstance, sets: int) -> list[dg.ExecuteInProcessResult]:
    """Look until every set of files of the upload has settled, and run what is asked for, one after the other."""
    cursor, runs = None, []
    for _ in range(5 * sets):
        with dg.build_sensor_context(instance=instance, cursor=cursor) as context:
            result = landing_zone_sensor(JOBS)(context)
        assert isinstance(result, dg.SensorResult)
        cursor = result.cursor
        if result.run_requests:
            (request,) = result.run_requests
            job = defs.resolve_job_def(str(request.job_name))
            if job.name == archive_upload.name:  # an upload of changes, which is imported from the archive
                job.execute_in_process(instance=instance, run_config=request.run_config, tags=dict(request.tags))
                continue
            done = job.execute_in_process(
                instance=instance, partition_key=request.partition_key, run_config=request.run_config, tags=dict(request.tags)
            )
            runs.append(done)
        if len(runs) == sets:
            return runs
    raise AssertionError(f"{len(runs)} runs were asked for: {result.skip_reason}")


def _documents(home: Path) -> list[dict[str, Any]]:
    """Return what became of each import, oldest first."""
    workspace = Workspace.open(home)
    try:
        return [outcome(workspace, int(row["import_id"])) for row in reversed(workspace.warehouse.ledger.imports("lincoln"))]
    finally:
        workspace.warehouse.close()

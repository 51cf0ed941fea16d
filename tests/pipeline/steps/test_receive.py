"""Taking an upload in."""

from __future__ import annotations

from pathlib import Path

import pytest

from roster_etl.demo_server.sftp_server import Account, SftpServer
from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.lifecycle.import_lifecycle import release_import
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.steps import receive
from roster_etl.pipeline.steps.receive import receive_upload
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.store.registry.registry import District, Feed
from roster_etl.vendors import vendor

PASSWORD = "open-Sesame-4711"


def test_a_path_on_the_feeds_server_is_reached_with_the_feeds_log_in(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINCOLN_PASSWORD", PASSWORD)
    workspace = Workspace.open(home)
    with SftpServer(tmp_path / "sftp", [Account(user="lincoln", password=PASSWORD)]) as server:
        write_sample(vendor("clever"), server.home("lincoln") / "today", students=5, seed=1)
        url = server.url("lincoln", "/today")
        feed = Feed(format="clever", path=url, known_hosts=str(server.known_hosts), password_env="LINCOLN_PASSWORD")
        workspace.registry.add(District(id="lincoln", feeds=(feed,)))
        upload = receive_upload(workspace, Order(district_id="lincoln", source="clever", path=url)).upload

    release_import(workspace, upload.import_id)
    assert upload.member("students")


def test_memory_is_set_up_for_the_largest_file_of_the_upload(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    monkeypatch.setattr(receive, "use_memory_for", told.append)
    workspace = Workspace.open(home)
    write_sample(vendor("clever"), tmp_path / "today", students=5, seed=1)
    workspace.registry.add(District(id="lincoln", feeds=(Feed(format="clever", path=str(tmp_path / "today")),)))
    upload = receive_upload(workspace, Order(district_id="lincoln", source="clever", path=str(tmp_path / "today"))).upload

    release_import(workspace, upload.import_id)
    assert told == [max(path.stat().st_size for path in (tmp_path / "today").glob("*.csv"))]


def opened(home: Path, upload: Path) -> Workspace:
    workspace = Workspace.open(home)
    workspace.registry.add(District(id="lincoln", feeds=(Feed(format="clever", path=str(upload)),)))
    return workspace


def test_the_ledger_says_which_upload_an_import_reads_before_any_row_is_read(home: Path, tmp_path: Path) -> None:
    write_sample(vendor("clever"), tmp_path / "today", students=5, seed=1)
    workspace = opened(home, tmp_path / "today")
    upload = receive_upload(workspace, Order(district_id="lincoln", source="clever")).upload
    release_import(workspace, upload.import_id)

    row = workspace.warehouse.ledger.import_(upload.import_id)
    assert (row["status"], row["upload_id"], row["received_at"].isoformat()) == ("running", upload.upload_id, upload.received_at)
    workspace.close()


def test_a_file_whose_passwords_cannot_be_found_is_not_archived_and_its_fault_is_told(home: Path, tmp_path: Path) -> None:
    write_sample(vendor("clever"), tmp_path / "today", students=5, seed=1)
    file = tmp_path / "today" / "students.csv"
    first, *rows = file.read_text("utf-8").splitlines()
    file.write_text(
        "\n".join([f"{first},Password", f'"{rows[0]},{PASSWORD}', *(f"{row},{PASSWORD}" for row in rows[1:])]), "utf-8"
    )
    workspace = opened(home, tmp_path / "today")
    number = import_upload(workspace, Order(district_id="lincoln", source="clever"))

    document = outcome(workspace, number)
    (refused,) = [one for one in document["findings"] if one["file"] == "students.csv" and one["severity"] == "file"]
    assert (refused["code"], refused["message"].partition(":")[0]) == ("malformed_csv", "Record 2")
    assert not [path for path in home.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]
    workspace.close()

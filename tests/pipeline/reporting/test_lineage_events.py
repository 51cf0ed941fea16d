"""OpenLineage events of published imports, sent to a real HTTP server on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline.reporting import lineage_events, notifications
from roster_etl.pipeline.reporting.announce import flush_outbox, publish_report
from roster_etl.pipeline.reporting.import_summary import read_import_summary
from roster_etl.pipeline.reporting.lineage_events import warehouse_name
from roster_etl.pipeline.review.dry_run import _scratch_settings
from roster_etl.pipeline.workspace import Workspace
from tests.ledgers import ended
from tests.post_office import webhook

CHANGES = {"users": {"created": 3, "updated": 1, "deleted": 2}}


class Service:
    """A lineage service that keeps what it takes. ``answer``: the status that it gives."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.keys: list[str | None] = []
        self.answer = 201
        self.url = ""


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            service.paths.append(self.path)
            service.keys.append(self.headers["Authorization"])
            if service.answer < 300:
                service.events.append(body)
            self.send_response(service.answer)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield service
    server.shutdown()
    server.server_close()
    thread.join()


def configured(home: Path, settings: str) -> Workspace:
    home.mkdir(exist_ok=True)
    (home / "roster_etl.toml").write_text(settings)
    return Workspace.open(home)


def told(workspace: Workspace, status: str = "published") -> int:
    number = ended(workspace, status, summary={"changes": CHANGES} if status == "published" else None)
    publish_report(workspace, read_import_summary(workspace, number))
    return number


def test_a_published_import_is_emitted_with_the_columns_that_each_column_is_made_of(tmp_path: Path, service: Service) -> None:
    workspace = configured(tmp_path / "home", f'[openlineage]\nurl = "{service.url}"\nnamespace = "rosters"\n')
    told(workspace)

    assert (flush_outbox(workspace).sent, flush_outbox(workspace).sent) == (1, 0)
    assert service.paths == ["/api/v1/lineage"]
    (event,) = service.events
    assert (event["eventType"], event["job"]["name"]) == ("COMPLETE", "lincoln.clever")
    (students,) = event["inputs"]
    assert (students["namespace"], students["name"]) == ("rosters", "lincoln/clever/students")
    assert students["inputFacets"]["inputStatistics"]["rowCount"] == 100
    users = next(one for one in event["outputs"] if one["name"] == "users")
    assert users["namespace"] == f"sqlite://{tmp_path}/home/warehouse.sqlite"
    assert users["outputFacets"]["outputStatistics"]["rowCount"] == 4
    assert "last_name" in [field["name"] for field in users["facets"]["schema"]["fields"]]
    assert users["facets"]["columnLineage"]["fields"]["last_name"]["inputFields"] == [
        {"namespace": "rosters", "name": "lincoln/clever/students", "field": "Last_name", "transformations": []}
    ]


def test_only_what_is_published_is_emitted_and_by_default_nothing(tmp_path: Path, service: Service) -> None:
    workspace = configured(tmp_path / "home", f'[openlineage]\nurl = "{service.url}"\n')
    for status in ("held", "rejected", "failed", "unchanged"):
        told(workspace, status)
    quiet = configured(tmp_path / "quiet", "")
    told(quiet)
    flush_outbox(workspace)
    flush_outbox(quiet)

    assert service.events == []
    assert not (quiet.home / "outbox").exists()


def test_a_service_that_is_down_fails_no_import_and_gets_the_event_later(tmp_path: Path, service: Service) -> None:
    workspace = configured(tmp_path / "home", f'[openlineage]\nurl = "{service.url}"\n')
    service.answer = 503
    number = told(workspace)
    result = flush_outbox(workspace)

    assert workspace.warehouse.ledger.import_(number)["status"] == "published"
    assert (result.sent, result.failed, result.problems) == (0, 1, ("OpenLineage at 127.0.0.1: it answered 503",))
    service.answer = 201
    assert flush_outbox(workspace, everything=True).sent == 1
    assert len(service.events) == 1


def test_an_event_that_is_refused_is_tried_no_more(tmp_path: Path, service: Service) -> None:
    workspace = configured(tmp_path / "home", f'[openlineage]\nurl = "{service.url}"\n')
    service.answer = 422
    told(workspace)

    assert flush_outbox(workspace).parked == 1
    assert workspace.outbox.counts() == {("openlineage", "parked"): 1}


def test_the_key_comes_from_where_the_settings_say(tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = configured(tmp_path / "home", f'[openlineage]\nurl = "{service.url}"\napi_key_env = "LINEAGE_KEY"\n')
    told(workspace)
    assert flush_outbox(workspace).problems == ("[openlineage] in roster_etl.toml: the variable LINEAGE_KEY is not set",)

    monkeypatch.setenv("LINEAGE_KEY", "hush-hush-token")
    flush_outbox(workspace, everything=True)
    assert service.keys == ["Bearer hush-hush-token"]


def test_events_may_go_to_a_file_one_a_line(tmp_path: Path) -> None:
    workspace = configured(tmp_path / "home", '[openlineage]\nurl = "lineage.ndjson"\n')
    told(workspace)
    told(workspace)
    assert flush_outbox(workspace).sent == 2

    lines = (tmp_path / "home" / "lineage.ndjson").read_text().splitlines()
    assert [json.loads(line)["eventType"] for line in lines] == ["COMPLETE", "COMPLETE"]


def test_without_the_extra_operators_are_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifications, "can_emit", lambda: False)
    with webhook() as hook:
        monkeypatch.setenv("HOOK", hook.url)
        workspace = configured(
            tmp_path / "home", '[openlineage]\nurl = "lineage.ndjson"\n[alerts]\nwebhook_env = "HOOK"\non = ["failed"]\n'
        )
        told(workspace)
        told(workspace)
        flush_outbox(workspace)

    assert hook.texts == [lineage_events.MISSING]


def test_what_the_library_cannot_do_is_told_once_and_stops_no_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("Quillfeather")

    monkeypatch.setattr(lineage_events, "lineage_event", refuse)
    with webhook() as hook:
        monkeypatch.setenv("HOOK", hook.url)
        alerts = '[alerts]\nwebhook_env = "HOOK"\non = ["failed"]\n'
        workspace = configured(tmp_path / "home", f'[openlineage]\nurl = "lineage.ndjson"\n{alerts}')
        told(workspace)
        told(workspace)
        flush_outbox(workspace)

    (problem,) = hook.texts
    assert "raised ValueError" in problem
    assert "Quillfeather" not in problem


def test_a_check_of_an_upload_is_told_to_nobody(tmp_path: Path) -> None:
    told = '[mail]\nhost = "127.0.0.1"\nsender = "roster@example.org"\noperators = ["ops@example.org"]\n[alerts]\nwebhook_env = "HOOK"\n'
    workspace = configured(tmp_path / "home", f'{told}[openlineage]\nurl = "lineage.ndjson"\n')
    settings = _scratch_settings(workspace.settings, tmp_path / "scratch")

    assert (settings.mail.host, settings.alerts.is_enabled, settings.openlineage.url) == ("", False, "")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql+psycopg://etl:hush@db.example.org/rosters", ("postgres://db.example.org:5432", "rosters.public.")),
        (
            "postgresql+psycopg://db.example.org:5433/rosters?sslmode=require",
            ("postgres://db.example.org:5433", "rosters.public."),
        ),
        ("sqlite:////srv/home/warehouse.sqlite", ("sqlite:///srv/home/warehouse.sqlite", "")),
    ],
)
def test_the_warehouse_has_the_name_that_others_give_it(url: str, name: tuple[str, str]) -> None:
    assert warehouse_name(url) == name

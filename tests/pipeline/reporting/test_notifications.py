"""Who is told what of an import."""

from __future__ import annotations

from pathlib import Path

import pytest

from roster_etl.pipeline.reporting.announce import ReportCursor, flush_outbox, publish_report, report_missed_imports
from roster_etl.pipeline.reporting.import_summary import outcome, read_import_summary
from roster_etl.pipeline.reporting.notifications import is_problem, queue_notifications
from roster_etl.pipeline.reporting.report_files import report_document
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.registry import District, Feed
from tests.ledgers import ended, refused
from tests.post_office import Hook, PostOffice, post_office, webhook

CONTACTS = ("data@lincoln.example.org", "it@lincoln.example.org")


@pytest.fixture
def office():
    with post_office() as office:
        yield office


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch):
    with webhook() as hook:
        monkeypatch.setenv("HOOK", hook.url)
        yield hook


@pytest.fixture
def workspace(tmp_path: Path, office: PostOffice, hook: Hook) -> Workspace:
    home = tmp_path / "home"
    home.mkdir()
    (home / "roster_etl.toml").write_text(
        f'[mail]\nhost = "127.0.0.1"\nport = {office.port}\nsecurity = "none"\nsender = "roster@example.org"\n'
        '[alerts]\nwebhook_env = "HOOK"\n[reports]\nurl = "https://reports.example.org"\n'
    )
    workspace = Workspace.open(home)
    district(workspace, "lincoln")
    return workspace


def district(workspace: Workspace, district_id: str, **parts: object) -> None:
    feed = Feed(format="clever", contacts=CONTACTS[1:])
    workspace.registry.add(District(id=district_id, name="Lincoln Unified", contacts=CONTACTS[:1], feeds=(feed,), **parts))  # type: ignore[arg-type]


def queued(workspace: Workspace, number: int) -> list[str]:
    return queue_notifications(workspace, report_document(workspace, read_import_summary(workspace, number)))


def test_a_hold_is_mailed_to_every_contact_and_alerts(workspace: Workspace, office: PostOffice, hook: Hook) -> None:
    number = ended(
        workspace, "held", findings=refused(2), summary={"changes": {"users": {"created": 0, "updated": 0, "deleted": 40}}}
    )
    publish_report(workspace, read_import_summary(workspace, number))

    assert (flush_outbox(workspace).sent, flush_outbox(workspace).sent) == (3, 0)
    assert {mail["To"] for mail in office.mail} == set(CONTACTS)
    mail = office.mail[0]
    assert mail["Subject"] == "Lincoln Unified: import 1 (clever) held"
    text = mail.get_body(("plain",)).get_content().replace("\r\n", "\n")
    assert "More would change than the threshold allows." in text
    assert "roster-etl holds approve 1 --by NAME" in text
    assert "missing_required: 2 rows (refuses the row)\n  students.csv row 2 Last_name: It is empty.\n" in text
    assert "users: 0 created, 0 updated, 40 removed" in text
    assert "https://reports.example.org/lincoln/1.html" in text
    assert "<li>students.csv row 3 Last_name: It is empty.</li>" in mail.get_body(("html",)).get_content()
    assert [part.get_filename() for part in mail.iter_attachments()] == ["import-1.html", "import-1.csv"]
    assert hook.texts == [
        (
            "lincoln/clever: import 1 is held. More would change than the threshold allows.\nroster-etl holds show 1\n"
            "https://reports.example.org/lincoln/1.html"
        )
    ]


def test_an_import_is_told_once_for_each_ending(workspace: Workspace) -> None:
    number = ended(workspace, "failed", files=())

    assert len(queued(workspace, number)) == 3
    assert queued(workspace, number) == []
    flush_outbox(workspace)
    assert queued(workspace, number) == []


@pytest.mark.parametrize(("mail", "told"), [("always", [1, 1, 1]), ("problems", [0, 1, 0]), ("never", [0, 0, 0])])
def test_a_district_gets_mail_when_it_wants_it(workspace: Workspace, mail: str, told: list[int]) -> None:
    district(workspace, "east", mail=mail)
    numbers = [ended(workspace, status, district="east") for status in ("published", "rejected", "unchanged")]

    assert [len([m for m in queued(workspace, n) if m.startswith("mail")]) // 2 for n in numbers] == told


def test_the_same_refused_rows_are_a_problem_once_and_more_of_them_again(workspace: Workspace) -> None:
    numbers = [
        ended(workspace, "published", findings=findings)
        for findings in (
            refused(2),
            refused(2),
            refused(1),
            refused(2),
            refused(2, field="DOB", code="bad_date", severity="warning"),
        )
    ]

    assert [is_problem(workspace, outcome(workspace, number)) for number in numbers] == [True, False, False, True, False]


def test_one_that_is_registered_no_more_has_no_contacts_and_still_alerts(workspace: Workspace, hook: Hook) -> None:
    number = ended(workspace, "failed", district="gone", files=())
    publish_report(workspace, read_import_summary(workspace, number))
    flush_outbox(workspace)

    assert hook.texts == [
        "gone/clever: import 1 is failed.\nroster-etl doctor --district gone\nhttps://reports.example.org/gone/1.html"
    ]


def test_without_settings_nothing_is_queued(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "quiet")
    district(workspace, "lincoln")

    assert queued(workspace, ended(workspace, "held")) == []
    assert flush_outbox(workspace).sent == 0
    assert not (workspace.home / "outbox").exists()


def test_an_outbox_survives_a_server_that_is_away(workspace: Workspace, office: PostOffice) -> None:
    publish_report(workspace, read_import_summary(workspace, ended(workspace, "held")))
    settings = (workspace.home / "roster_etl.toml").read_text()
    (workspace.home / "roster_etl.toml").write_text(settings.replace(f"port = {office.port}", "port = 9"))
    away = flush_outbox(Workspace.open(workspace.home))

    assert (away.sent, away.failed, office.mail) == (1, 2, [])
    (workspace.home / "roster_etl.toml").write_text(settings)
    assert flush_outbox(Workspace.open(workspace.home)).sent == 0
    assert flush_outbox(Workspace.open(workspace.home), everything=True).sent == 2
    assert len(office.mail) == 2


def test_what_was_killed_before_it_could_tell_is_told_later(workspace: Workspace) -> None:
    old, running = ended(workspace, "published"), ended(workspace, "running")
    first, told = report_missed_imports(workspace, None)
    assert (first, told) == (ReportCursor(last=running, open=(running,)), [])

    new = ended(workspace, "rejected", district="lincoln")
    after, told = report_missed_imports(workspace, first)
    assert (after, told) == (ReportCursor(last=new, open=(running,)), [new])
    assert report_missed_imports(workspace, after)[1] == []
    assert not (workspace.home / "reports" / "lincoln" / f"{old}.html").exists()

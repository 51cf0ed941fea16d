"""Who is told what of an import."""

from __future__ import annotations

from pathlib import Path

import pytest

from roster_etl.pipeline.reporting.announce import ReportCursor, flush_outbox, publish_report, report_missed_imports
from roster_etl.pipeline.reporting.import_summary import outcome, read_import_summary
from roster_etl.pipeline.reporting.next_steps import NextStep
from roster_etl.pipeline.reporting.notifications import is_problem, queue_alert, queue_mail, queue_notifications
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
    assert (
        "students.csv\n  Last_name: 2 rows (row 2, 3); refuses the row\n    It is empty.\n    To do: Fill the cell in the source"
        in text
    )
    assert "If the files are right: tell whoever runs the import for you, say that import 1 is right" in text
    assert "For whoever runs the import\n" in text
    assert "roster-etl holds approve 1 --by NAME" in text
    assert "https://reports.example.org/lincoln/1.html" in text
    assert "It is empty." in mail.get_body(("html",)).get_content()
    assert mail["Reply-To"] is None
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


OPERATORS = ("ops@example.org", "it@lincoln.example.org")
PLAN = {
    "users": {"current": 136, "created": 1, "updated": 0, "deleted": 62, "columns": {}, "reasons": {"absent": 62}, "schools": {}},
    "enrollments": {
        "current": 787,
        "created": 0,
        "updated": 0,
        "deleted": 348,
        "columns": {},
        "reasons": {"absent": 348},
        "schools": {"007": {"current": 336, "created": 0, "updated": 0, "deleted": 142, "absent": 142, "counted": 0}},
    },
}
HELD = {
    "plan": PLAN,
    "plan_base": None,
    "changes": {name: {what: table[what] for what in ("created", "updated", "deleted")} for name, table in PLAN.items()},
    "hold": {"tables": {"users": {"deleted": 62, "current": 136, "pct": 45.6}}, "schools": []},
}


@pytest.fixture
def operated(workspace: Workspace) -> Workspace:
    """The installation with operators, one of whom is a contact of the district too, and with the address of its UI."""
    file = workspace.home / "roster_etl.toml"
    operators = ", ".join(f'"{one}"' for one in OPERATORS)
    settings = file.read_text().replace("[mail]", f"[mail]\noperators = [{operators}]")
    file.write_text(settings + '[ui]\nurl = "https://dagster.example.org/"\n')
    return Workspace.open(workspace.home)


def texts(office: PostOffice, to: str) -> tuple[str, str]:
    """Return the one mail to an address: as plain text, and as HTML."""
    (mail,) = [mail for mail in office.mail if mail["To"] == to]
    return tuple(mail.get_body((kind,)).get_content().replace("\r\n", "\n") for kind in ("plain", "html"))  # type: ignore[return-value]


def test_operators_get_links_to_decide_and_the_district_what_to_correct(
    operated: Workspace, office: PostOffice, hook: Hook
) -> None:
    number = ended(operated, "held", findings=refused(2), summary=HELD)
    publish_report(operated, read_import_summary(operated, number))
    assert flush_outbox(operated).sent == 4

    assert sorted(mail["To"] for mail in office.mail) == sorted({*CONTACTS, *OPERATORS})
    plain, rich = texts(office, "ops@example.org")
    assert plain.startswith("HELD: Lincoln Unified (clever): 62 of 136 users would be removed\n")
    assert "People: 136 → 75 (62 removed (45.6 %), 1 new)\n" in plain
    assert "Approve: https://dagster.example.org/locations/roster_etl/jobs/approve_hold/playground/setup?config=" in plain
    assert "Review: https://dagster.example.org/assets/roster/plan?view=partitions&partition=lincoln\n" in plain
    assert "roster-etl holds approve 1 --by NAME" in plain
    assert "007: enrollments 142 removed (42.3 %)" in plain
    assert 'href="https://dagster.example.org/locations/roster_etl/jobs/discard_hold/playground/setup?config=' in rich
    assert "manifests/lincoln/1.json" in rich
    assert hook.texts[0].splitlines()[1:3] == [
        "roster-etl holds show 1",
        "https://dagster.example.org/assets/roster/plan?view=partitions&partition=lincoln",
    ]

    plain, rich = texts(office, "data@lincoln.example.org")
    assert "People: 136 → 75 (62 removed (45.6 %), 1 new)\n" in plain
    assert "If the files are right: answer this mail, say that import 1 is right" in plain
    assert [words in plain + rich for words in ("roster-etl", "dagster", "archive")] == [False] * 3


@pytest.mark.parametrize(("reply_to", "answers_go"), [("", ", ".join(OPERATORS)), ("help@example.org", "help@example.org")])
def test_the_answer_of_a_district_reaches_a_person(
    operated: Workspace, office: PostOffice, reply_to: str, answers_go: str
) -> None:
    file = operated.home / "roster_etl.toml"
    file.write_text(file.read_text().replace("[mail]", f'[mail]\nreply_to = "{reply_to}"\n'))
    workspace = Workspace.open(operated.home)
    publish_report(workspace, read_import_summary(workspace, ended(workspace, "rejected")))
    flush_outbox(workspace)

    (mail,) = [mail for mail in office.mail if mail["To"] == "data@lincoln.example.org"]
    assert mail["Reply-To"] == answers_go


def test_operators_are_told_of_what_their_settings_name(operated: Workspace) -> None:
    file = operated.home / "roster_etl.toml"
    file.write_text(file.read_text().replace("[mail]", '[mail]\noperators_on = ["failed"]\n'))
    workspace = Workspace.open(operated.home)
    told = {status: queued(workspace, ended(workspace, status)) for status in ("published", "rejected", "failed")}

    mails = {status: [one for one in found if one.startswith("mail")] for status, found in told.items()}
    assert {status: len(found) for status, found in mails.items()} == {"published": 0, "rejected": 2, "failed": 3}


def test_a_late_feed_is_told_to_its_district_without_commands_and_to_operators_with_them(
    operated: Workspace, office: PostOffice
) -> None:
    steps = [NextStep(text="See that the files are uploaded."), NextStep(text="Look.", command="roster-etl doctor")]
    words = {"about": "late-1", "title": "Lincoln: clever is late", "steps": steps}
    queue_mail(operated, "late", CONTACTS, reason="Expected by 06:00.", **words)  # type: ignore[arg-type]
    queue_alert(operated, "late", text="lincoln/clever is late", **words)  # type: ignore[arg-type]
    flush_outbox(operated)

    assert sorted(mail["To"] for mail in office.mail) == sorted({*CONTACTS, *OPERATORS})
    district, operator = texts(office, "data@lincoln.example.org"), texts(office, "ops@example.org")
    assert [("roster-etl doctor" in text, "See that the files are uploaded." in text) for text in district] == [(False, True)] * 2
    assert [("roster-etl doctor" in text) for text in operator] == [True] * 2

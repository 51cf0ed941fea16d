"""``report``, ``data-docs``, ``outbox``, ``changes``, ``metrics``, and what is expected."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from roster_etl.pipeline.reporting.announce import publish_report
from roster_etl.pipeline.reporting.import_summary import read_import_summary
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.registry import District, Feed
from tests.cli.calling import call
from tests.ledgers import ended, refused
from tests.post_office import PostOffice, post_office


@pytest.fixture
def office():
    with post_office() as office:
        yield office


@pytest.fixture
def held(home: Path, office: PostOffice) -> Path:
    """A home with a held import that was queued for mail."""
    home.mkdir(exist_ok=True)
    (home / "roster_etl.toml").write_text(
        f'[mail]\nhost = "127.0.0.1"\nport = {office.port}\nsecurity = "none"\nsender = "roster@example.org"\n'
    )
    workspace = Workspace.open(home)
    workspace.registry.add(District(id="lincoln", contacts=("data@lincoln.example.org",), feeds=(Feed(format="clever"),)))
    publish_report(workspace, read_import_summary(workspace, ended(workspace, "held", findings=refused(1))))
    return home


def test_a_report_can_be_written_again(held: Path) -> None:
    page = held / "reports" / "lincoln" / "1.html"
    before = page.read_bytes()
    page.unlink()

    assert call("report", 1, home=held).out.strip() == str(page)
    assert page.read_bytes() == before
    assert call("report", 1, "--json", home=held).document["csv"] == str(page.with_suffix(".csv"))
    assert call("report", 9, home=held).code == 2


def test_data_docs_are_built_on_request_and_linked_from_the_report(told: Path) -> None:
    document = call("data-docs", "2", "--json", home=told).document
    index = told / "reports" / "lincoln" / "2.data_docs" / "index.html"

    assert document == {"import_id": 2, "index": str(index), "url": None}
    assert "clever.students.html" in index.read_text("utf-8")
    assert '<a href="2.data_docs/index.html">' in index.parent.with_suffix(".html").read_text("utf-8")
    assert f"Data Docs: {index}" in call("show", "2", home=told).out
    assert not [path for path in index.parent.parent.iterdir() if path.name.startswith(".")]


def test_there_are_no_data_docs_of_what_was_not_judged(held: Path) -> None:
    answer = call("data-docs", "1", home=held)

    assert answer.code == 2
    assert "import 1: no results of its suites are kept" in answer.err
    assert call("show", "1", "--json", home=held).document["data_docs"] is None


def test_what_waits_is_listed_and_sent(held: Path, office: PostOffice) -> None:
    (waiting,) = call("outbox", "list", "--json", home=held).document
    listed = call("outbox", "list", home=held).out

    assert (waiting["to"], waiting["about"], waiting["tries"]) == ("data@lincoln.example.org", "import-1-held", 0)
    assert "data@lincoln.example.org" in listed
    assert call("outbox", "send", home=held).out == "1 sent, 0 left.\n"
    assert call("outbox", "list", home=held).out == "Nothing waits to be sent.\n"
    assert len(office.mail) == 1


def test_what_cannot_be_sent_is_told_and_stays(held: Path, office: PostOffice) -> None:
    office.answers["data@lincoln.example.org"] = "450 later"
    answer = call("outbox", "send", "--json", home=held)

    assert (answer.code, answer.document["failed"], answer.document["left"]) == (1, 1, 1)
    assert "the recipient is refused (code 450)" in answer.err


def test_a_message_can_be_discarded_by_its_name(held: Path, office: PostOffice) -> None:
    (waiting,) = call("outbox", "list", "--json", home=held).document

    assert call("outbox", "discard", waiting["id"], home=held).code == 0
    assert call("outbox", "discard", waiting["id"], home=held).code == 2
    assert call("outbox", "discard", "../roster_etl", home=held).code == 2
    assert call("outbox", "send", home=held).out == "0 sent, 0 left.\n"


def test_changes_come_in_pages(told: Path) -> None:
    first = call("changes", "--district", "lincoln", "--since", 0, "--limit", 5, "--json", home=told).document
    second = call(
        "changes", "--district", "lincoln", "--since", 0, "--limit", 5, "--after", first["after"], "--json", home=told
    ).document
    people = call("changes", "--district", "lincoln", "--since", 1, home=told)

    assert (first["district_id"], first["source"], len(first["changes"])) == ("lincoln", "clever", 5)
    assert not [change for change in second["changes"] if change in first["changes"]]
    assert "that is all; the next time: --since 2" in people.err
    assert people.out.splitlines()[0].split() == ["import", "table", "change", "why", "key"]
    assert call("changes", "--district", "lincoln", "--since", 2, home=told).out == "Nothing was published after import 2.\n"
    assert (
        call("changes", "--district", "lincoln", "--since", 1, "--after", "zz", "--json", home=told).document["error"]["code"]
        == "bad_cursor"
    )


def test_metrics_are_printed_or_put_into_a_file(told: Path, tmp_path: Path) -> None:
    file = tmp_path / "roster.prom"
    printed = call("metrics", home=told).out

    assert call("metrics", "--to", file, home=told).out == ""
    families = {family.name: family for family in text_string_to_metric_families(file.read_text())}
    assert [s.value for s in families["roster_etl_imports"].samples if s.labels["status"] == "published"] == [2]
    assert {family.name for family in text_string_to_metric_families(printed)} == set(families)
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert list(tmp_path.glob(".*")) == []
    assert call("metrics", "--to", tmp_path / "none" / "x.prom", home=told).code == 2


def test_a_late_feed_shows_wherever_a_person_looks(held: Path) -> None:
    passed = datetime.now(UTC) - timedelta(minutes=1)
    expected = call("districts", "expect", "lincoln", "--by", f"{passed:%H:%M}", "--hours", 1, home=held)

    assert expected.out == f"lincoln/clever is expected by {passed:%H:%M} on every day.\n"
    assert "late: lincoln/clever, expected by " in call("imports", home=held).err
    assert f"{passed:%H:%M} late" in call("districts", "list", home=held).out
    (listed,) = call("districts", "list", "--json", home=held).document
    assert (listed["feeds"][0]["freshness"], listed["contacts"]) == ("late", ["data@lincoln.example.org"])
    examined = {thing["what"]: thing for thing in call("doctor", "--json", home=held).document}
    assert examined["lincoln/clever freshness"]["found"].startswith("late: expected by ")
    assert examined["mail"]["ok"]
    assert examined["outbox"]["found"] == "1 messages wait"

    call("districts", "expect", "lincoln", "--by", "none", home=held)
    assert "late" not in call("imports", home=held).err


def test_who_is_told_can_be_set(held: Path) -> None:
    answer = call("districts", "contacts", "lincoln", "a@example.org", "b@example.org", "--mail", "always", "--json", home=held)

    assert answer.document == {"district_id": "lincoln", "contacts": ["a@example.org", "b@example.org"], "mail": "always"}
    assert call("districts", "contacts", "lincoln", home=held).out == "lincoln: mail always, to a@example.org, b@example.org.\n"
    assert call("districts", "contacts", "lincoln", "nobody", home=held).code == 2
    assert call("districts", "contacts", "lincoln", "--mail", "sometimes", home=held).code == 2
    assert call("districts", "expect", "lincoln", "--by", "25:00", home=held).code == 2

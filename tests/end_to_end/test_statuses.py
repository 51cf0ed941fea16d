"""Uploads whose rows say what is active and what is deleted, from the files to the roster, on SQLite and on PostgreSQL."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.review.dry_run import check_upload
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.store.registry.registry import District, Feed
from roster_etl.vendors import vendor
from tests import rosters
from tests.ledgers import in_transaction
from tests.saved import SavedFolders

NAME, DISTRICT = "mastery_connect", "vegas"
Row = dict[str, str]
Edit = Callable[[list[Row]], list[Row]]


@pytest.fixture
def workspace(tmp_path: Path, warehouse_url: str) -> Iterator[Workspace]:
    """A home with one district, whose warehouse is SQLite or PostgreSQL."""
    workspace = registered(tmp_path, warehouse_url)
    yield workspace
    workspace.close()


def registered(folder: Path, url: str) -> Workspace:
    """Return a home in `folder` with one district, and write its upload beside it: 90 students."""
    write_sample(vendor(NAME), folder / "upload", students=90, seed=3)
    (folder / "home").mkdir(mode=0o700)
    (folder / "home" / "roster_etl.toml").write_text(f'[warehouse]\nurl = "{url}"\n', encoding="utf-8")
    workspace = Workspace.open(folder / "home")
    workspace.registry.add(District(id=DISTRICT, feeds=(Feed(format=NAME),)))
    return workspace


@pytest.fixture
def published(saved: SavedFolders, tmp_path: Path, database: str) -> Iterator[Workspace]:
    """The same home after its upload was published."""

    def make(folder: Path, url: str) -> None:
        workspace = registered(folder, url)
        assert run(workspace, folder / "upload")["status"] == "published"
        workspace.close()

    url = saved.copy("statuses", make, tmp_path, database)
    workspace = Workspace.open(tmp_path / "home")
    yield workspace
    workspace.close()
    saved.drop(url)


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    """The upload that lies beside the home."""
    return tmp_path / "upload"


def run(workspace: Workspace, upload: Path, **options: str) -> dict[str, Any]:
    """Import `upload` and return the outcome."""
    return outcome(
        workspace, import_upload(workspace, Order(district_id=DISTRICT, source=NAME, path=str(upload), options=options))
    )


def rows_of(upload: Path, name: str) -> list[Row]:
    with (upload / f"{name}.csv").open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def edit(upload: Path, name: str, change: Edit) -> None:
    """Rewrite one file of the upload."""
    rows = rows_of(upload, name)
    with (upload / f"{name}.csv").open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(change(rows))


def deleted(column: str, *ids: str) -> Edit:
    """Mark the rows with these ids as deleted."""
    return lambda rows: [row | {"status": "deleted"} if row[column] in ids else row for row in rows]


def without(column: str, *ids: str) -> Edit:
    """Leave out the rows with these ids."""
    return lambda rows: [row for row in rows if row[column] not in ids]


def reasons(workspace: Workspace, table: str, **key: str) -> list[str | None]:
    """Return why each version of the records closed, oldest first."""
    return [version["close_reason"] for version in workspace.warehouse.roster.trace(table, key, DISTRICT, NAME).to_pylist()]


def codes(document: dict[str, Any]) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for finding in document["findings"]:
        counts[finding["severity"], finding["code"]] += finding["count"]
    return counts


def test_a_student_is_deleted_with_all_that_follows_and_comes_back(published: Workspace, upload: Path) -> None:
    taken = [row["section_id"] for row in rows_of(upload, "enrollments") if row["user_id"] == "007"]
    edit(upload, "users", deleted("user_id", "007"))
    edit(
        upload,
        "enrollments",
        lambda rows: (
            deleted("section_id", taken[0])([r for r in rows if r["user_id"] == "007"]) + without("user_id", "007")(rows)
        ),
    )

    gone = run(published, upload)

    assert (gone["status"], gone["changes"]["users"]) == ("published", {"created": 0, "updated": 0, "deleted": 1})
    assert gone["changes"]["enrollments"]["deleted"] == len(taken) > 1
    assert reasons(published, "users", user_id="007") == ["deleted"]
    assert reasons(published, "user_roles", user_id="007") == ["deleted"]
    assert reasons(published, "student_profiles", user_id="007") == ["deleted"]
    assert [reasons(published, "enrollments", user_id="007", section_id=section) for section in taken] == [["deleted"]] + [
        ["cascade"]
    ] * (len(taken) - 1)
    assert codes(gone) == {("reject", "deleted_reference"): len(taken) - 1}

    edit(upload, "users", lambda rows: [row | {"status": "Active"} for row in rows])
    edit(upload, "enrollments", lambda rows: [row | {"status": "active"} for row in rows])
    back = run(published, upload)

    assert (back["changes"]["users"], back["findings"]) == ({"created": 1, "updated": 0, "deleted": 0}, [])
    assert reasons(published, "users", user_id="007") == ["deleted", None]
    assert reasons(published, "enrollments", user_id="007", section_id=taken[1]) == ["cascade", None]


@pytest.mark.both_databases
def test_the_same_upload_with_deleted_rows_again_is_unchanged(published: Workspace, upload: Path) -> None:
    edit(upload, "enrollments", deleted("user_id", "007"))
    run(published, upload)
    edit(upload, "enrollments", lambda rows: list(reversed(rows)))
    ghosts = [{"role": "student", "user_id": "7", "section_id": "no-such-section", "status": "deleted"}]
    edit(upload, "enrollments", lambda rows: rows + ghosts)

    again = run(published, upload)

    assert (again["status"], again["findings"]) == ("unchanged", [])


@pytest.mark.both_databases
def test_a_deleted_school_takes_its_roster_along_and_holds_nothing(published: Workspace, upload: Path) -> None:
    """Only its own row says so: all the rest of the school is left out."""
    account = rows_of(upload, "accounts")[0]["account_id"]
    own = [row["course_id"] for row in rows_of(upload, "courses") if row["account_id"] == account]
    sections = [row["section_id"] for row in rows_of(upload, "sections") if row["course_id"] in own]
    people = [row["user_id"] for row in rows_of(upload, "users") if row["account_id"] == account]
    edit(upload, "accounts", deleted("account_id", account))
    edit(upload, "courses", without("course_id", *own))
    edit(upload, "sections", without("section_id", *sections))
    edit(upload, "enrollments", without("section_id", *sections))
    edit(upload, "users", deleted("user_id", *people))

    document = run(published, upload)

    assert (document["status"], document["findings"], document["hold"]) == ("published", [], None)
    assert reasons(published, "organizations", organization_id=account) == ["deleted"]
    assert {why for course in own for why in reasons(published, "courses", course_id=course)} == {"cascade"}
    assert {why for section in sections for why in reasons(published, "enrollments", section_id=section)} == {"cascade"}
    assert {why for person in people for why in reasons(published, "users", user_id=person)} == {"deleted"}


def test_what_is_left_out_without_a_word_is_held(published: Workspace, upload: Path) -> None:
    account = rows_of(upload, "accounts")[0]["account_id"]
    people = [row["user_id"] for row in rows_of(upload, "users") if row["account_id"] == account]
    edit(upload, "users", without("user_id", *people))
    edit(upload, "enrollments", without("user_id", *people))

    document = run(published, upload)

    assert document["status"] == "held"
    assert document["hold"]["tables"]["users"]["deleted"] == len(people)


def test_a_user_of_a_deleted_school_stays_without_a_role(published: Workspace, upload: Path) -> None:
    edit(upload, "accounts", deleted("account_id", rows_of(upload, "accounts")[0]["account_id"]))
    document = run(published, upload, refused_rows_pct="100", refused_rise_pct="100")

    assert document["status"] == "published"
    assert reasons(published, "users", user_id="007") == [None]
    assert reasons(published, "user_roles", user_id="007") == ["cascade"]
    assert codes(document)["reject", "deleted_reference"] > 0


def test_a_row_with_an_unknown_status_leaves_its_record_as_it_is(published: Workspace, upload: Path) -> None:
    edit(
        upload,
        "users",
        lambda rows: [row | ({"status": "inactive", "last_name": "X"} if row["user_id"] == "007" else {}) for row in rows],
    )
    document = run(published, upload)

    assert reasons(published, "users", user_id="007") == [None]
    assert codes(document)["reject", "bad_status"] == 1


# ---- ids that another feed should have


def _publish_canvas(workspace: Workspace, accounts: list[str], sections: list[str]) -> None:
    warehouse = workspace.warehouse
    changes = {
        "organizations": rosters.change("organizations", [{"organization_id": name, "type": "account"} for name in accounts]),
        "sections": rosters.change("sections", [{"section_id": name} for name in sections]),
    }
    opened = in_transaction(warehouse).open_import(
        kind="upload", district_id=DISTRICT, source="canvas", upload_id="c1", started_at=rosters.day(1)
    )
    in_transaction(warehouse).publish(rosters.end(opened), changes, warehouse.roster.base(DISTRICT, "canvas"))


def test_ids_that_the_named_feed_does_not_have_are_reported_and_applied(workspace: Workspace, upload: Path) -> None:
    accounts = [row["account_id"] for row in rows_of(upload, "accounts")]
    sections = [row["section_id"] for row in rows_of(upload, "sections")]
    _publish_canvas(workspace, accounts[1:], sections[2:])
    edit(upload, "sections", deleted("section_id", sections[1]))
    edit(upload, "enrollments", without("section_id", sections[1]))

    document = run(workspace, upload, match_source="canvas")

    found = [(f["severity"], f["code"], f["file"], f["row"], f["field"]) for f in document["findings"]]
    assert found == [
        ("warning", "unknown_reference", "accounts.csv", 2, "account_id"),
        ("warning", "unknown_reference", "sections.csv", 2, "section_id"),
    ]
    assert document["status"] == "published"
    assert all(file["rows_rejected"] == 0 for file in document["files"])


def test_a_check_compares_with_the_named_feed_too(workspace: Workspace, upload: Path) -> None:
    _publish_canvas(workspace, [], [row["section_id"] for row in rows_of(upload, "sections")])
    document = check_upload(workspace, str(upload), NAME, district_id=DISTRICT, options={"match_source": "canvas"})

    assert [(f["file"], f["row"]) for f in document["findings"]] == [("accounts.csv", row) for row in (2, 3, 4)]


def test_a_feed_that_has_no_roster_yet_is_named_once(workspace: Workspace, upload: Path) -> None:
    document = run(workspace, upload, match_source="canvas")

    (finding,) = document["findings"]
    assert (finding["severity"], finding["code"], finding["file"], finding["row"]) == (
        "warning",
        "unknown_reference",
        "accounts.csv",
        None,
    )
    assert "canvas" in finding["message"]
    assert document["status"] == "published"


def test_nothing_is_compared_unless_a_feed_is_named(workspace: Workspace, upload: Path) -> None:
    _publish_canvas(workspace, ["elsewhere"], ["elsewhere"])

    assert run(workspace, upload)["findings"] == []


def test_what_changes_derived_values_alone_is_published(published: Workspace, upload: Path) -> None:
    edit(upload, "users", lambda rows: [row | {"login_id": f"own{row['user_id']}"} for row in rows])
    given = run(published, upload)
    edit(upload, "users", lambda rows: list(reversed(rows)))
    turned = run(published, upload)
    named = sum(bool(row["name"]) for row in rows_of(upload, "sections"))
    edit(upload, "sections", lambda rows: [row | {"name": ""} for row in rows])
    unnamed = run(published, upload)

    versions = published.warehouse.roster.trace("users", {"user_id": "007"}, DISTRICT, NAME).to_pylist()
    assert (given["status"], versions[-1]["username"]) == ("published", "own007")
    assert turned["status"] == "unchanged"
    assert (unnamed["status"], unnamed["changes"]["sections"]["updated"]) == ("published", named)

"""``holds``: what a threshold stopped, and a person's decision."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from roster_etl.cli.render_import import approve_command
from roster_etl.pipeline.review.approve import ApprovalRequest, apply_approval, validate_approval
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import PermanentError
from roster_etl.store.warehouse import ImportNotRunning, NoHold
from tests.cli.calling import call

pytestmark = pytest.mark.usefixtures("direct_imports")


def test_a_hold_is_listed_and_shown_with_its_plan(held: Path) -> None:
    listed = call("holds", "list", "--json", home=held).document
    shown = call("holds", "show", "3", "--json", home=held).document
    text = call("holds", "show", "3", home=held).out

    assert [hold["import_id"] for hold in listed] == [3]
    assert shown["hold"]["plan_sha256"] == listed[0]["plan_sha256"]
    assert shown["hold"]["tables"]["user_roles"]["deleted"] > 0
    assert shown["hold"]["plan_sha256"] in text
    assert "holds approve 3 --by NAME" in text
    assert "holds discard 3 --by NAME" in text
    assert "holds show 3" not in text
    assert re.search(r"user_roles: [0-9,]+ of [0-9,]+ current records of school \S+ \([0-9.]+ %\) would be removed", text)
    assert "deleted" not in text


def test_the_list_says_which_holds_wait_no_more(held: Path) -> None:
    def status() -> str:
        return call("imports", home=held).out.splitlines()[1].split()[-1]

    assert status() == "held"
    with closing(sqlite3.connect(held / "warehouse.sqlite")) as database, database:
        database.execute("update holds set decision = 'superseded', decided_by = 'import 4', decided_at = created_at")
    assert status() == "superseded"


def test_an_import_that_is_held_counts_no_change_in_the_list(held: Path) -> None:
    _, newest, before, *_ = call("imports", home=held).out.splitlines()

    assert newest.endswith("held")
    assert before.split()[-1].isdigit()


def test_approving_publishes_the_plan_that_was_shown(held: Path) -> None:
    plan = call("holds", "show", "3", "--json", home=held).document

    answer = call("holds", "approve", "3", "--by", "A. Steward", "--json", home=held)

    assert (answer.code, answer.document["status"]) == (0, "published"), answer.err
    assert answer.document["changes"] == plan["changes"]
    assert (answer.document["hold"]["decision"], answer.document["hold"]["decided_by"]) == ("approved", "A. Steward")
    assert call("holds", "list", "--json", home=held).document == []


def test_a_trace_names_who_approved_that_a_record_was_removed(held: Path) -> None:
    call("holds", "approve", "3", "--by", "A. Steward", home=held)
    with closing(sqlite3.connect(held / "warehouse.sqlite")) as database:
        removed = (
            "select user_id from users_history where valid_to_import = 3 and close_reason = 'absent' and user_kind = 'student'"
        )
        (user,) = next(database.execute(removed))
    words = ("trace", "users", "user_kind=student", f"user_id={user}", "--district", "lincoln")

    (version,) = call(*words, "--json", home=held).document["versions"]

    assert (version["closed_by_import"], version["close_decided_by"]) == (3, "A. Steward")
    assert "absent by import 3, decided by A. Steward" in call(*words, home=held).out


def test_approving_another_plan_than_the_one_shown_is_refused(held: Path) -> None:
    answer = call("holds", "approve", "3", "--by", "A. Steward", "--plan", "0000", "--json", home=held)

    assert (answer.code, answer.document["error"]["code"]) == (2, "bad_words")
    assert call("holds", "list", "--json", home=held).document


def test_an_import_stays_held_when_the_roster_has_moved_on(held: Path) -> None:
    with closing(sqlite3.connect(held / "warehouse.sqlite")) as database, database:
        database.execute("update holds set plan_sha256 = 'a plan that is no more'")

    answer = call("holds", "approve", "3", "--by", "A. Steward", "--json", home=held)

    assert (answer.code, answer.document["status"], answer.document["error"]["code"]) == (4, "held", "roster_moved")
    assert "has changed since its plan was shown" in answer.err
    assert call("holds", "list", "--json", home=held).document


def test_an_import_that_was_published_meanwhile_leaves_a_held_upload_of_changes_as_it_is(tmp_path: Path) -> None:
    def uploaded(*rows: str) -> Path:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        (folder / "users.csv").write_text("\n".join(["user_id,login_id,status,full_name", *rows, ""]), "utf-8")
        return folder

    home = tmp_path / "home"
    for name in ("Ann", "Bo"):
        folder = uploaded(*(f"u{n},l{n},active,{name} {n}" for n in range(20)))
        last = call("import", folder, "--district", "lincoln", "--format", "canvas", "--json", home=home)
    assert last.code == 4
    assert call("import", uploaded("u90,l90,active,Cy"), "--district", "lincoln", "--json", home=home).code == 0

    answer = call("holds", "approve", "2", "--by", "A. Steward", "--json", home=home)

    assert (answer.code, answer.document["import_id"], answer.document["error"]["code"]) == (4, 2, "roster_moved")
    assert "--rollback" in answer.err
    assert [hold["import_id"] for hold in call("holds", "list", "--json", home=home).document] == [2]


def test_a_newer_upload_closes_a_hold(held: Path, uploads: Path) -> None:
    call("import", uploads / "a", "--district", "lincoln", home=held)

    answer = call("holds", "approve", "3", "--by", "A. Steward", "--json", home=held)
    page = (held / "reports" / "lincoln" / "3.html").read_text("utf-8")

    assert (answer.code, answer.document["error"]["code"]) == (2, "no_open_hold")
    assert "It was superseded by import 4" in page
    assert "· superseded ·" in call("show", "3", home=held).out.splitlines()[0]
    assert "holds approve" not in page + call("show", "3", home=held).out


def test_discarding_leaves_the_roster_as_it_is(held: Path) -> None:
    answer = call("holds", "discard", "3", "--by", "A. Steward", "--json", home=held)

    assert (answer.code, answer.document["status"]) == (0, "discarded")
    assert call("holds", "approve", "3", "--by", "B", home=held).code == 2


def test_the_report_of_a_discarded_import_says_so(held: Path) -> None:
    call("holds", "discard", "3", "--by", "A. Steward", home=held)

    page = (held / "reports" / "lincoln" / "3.html").read_text("utf-8")
    assert "It was discarded by A. Steward" in page
    assert "What would have changed" in page
    assert "holds approve" not in page


def test_an_import_that_was_never_held_has_no_hold_to_show(told: Path) -> None:
    assert call("holds", "show", "1", "--json", home=told).document["error"]["code"] == "no_open_hold"


@pytest.mark.parametrize(
    ("code", "expected"), [("roster_moved", (4, "held")), ("no_open_hold", (2, None)), ("warehouse_unavailable", (1, "held"))]
)
def test_the_exit_code_of_an_approval_follows_what_failed(
    held: Path, monkeypatch: pytest.MonkeyPatch, code: str, expected: tuple[int, str | None]
) -> None:
    def failing(home: Path, order: Order, **_: object) -> int:
        if code == "no_open_hold":  # somebody else was faster, and the ledger says so
            with closing(sqlite3.connect(home / "warehouse.sqlite")) as database, database:
                database.execute("update holds set decision = 'approved', decided_by = 'B', decided_at = created_at")
                database.execute("update imports set status = 'published' where import_id = 3")
            raise ImportNotRunning(import_id=3, status="published", expected="held")
        raise PermanentError(code, code=code)

    monkeypatch.setattr("roster_etl.orchestration.jobs.in_process_runs.execute_import", failing)
    answer = call("holds", "approve", "3", "--by", "A. Steward", "--json", home=held)

    assert (answer.code, answer.document.get("status")) == expected
    assert answer.document["error"]["code"] == code


def test_two_approvals_at_once_publish_once_and_the_slower_learns_of_the_faster(held: Path) -> None:
    workspace = Workspace.open(held)
    with closing(workspace.warehouse) as warehouse:
        one, other = (validate_approval(workspace, ApprovalRequest(import_id=3, by=name)) for name in ("Ada", "Bob"))
        apply_approval(workspace, one)
        with pytest.raises(NoHold, match="it was approved by Ada"):
            apply_approval(workspace, other)
        told = [(row["action"], row["who"], row["outcome"], row["about"].get("code")) for row in warehouse.ledger.audit()]

    assert told[-2:] == [("approve", "Ada", "done", None), ("approve", "Bob", "refused", "no_open_hold")]
    assert "approved by Ada" in call("holds", "discard", "3", "--by", "Cid", home=held).err


def test_what_would_leave_nothing_out_is_not_shown_as_a_plan(held: Path) -> None:
    for word in ("school:4711", "terms"):
        answer = call("holds", "show", "3", "--leave-out", word, "--json", home=held)
        assert (answer.code, answer.document["error"]["code"]) == (2, "nothing_left_out")
        assert word in answer.document["error"]["message"]


@pytest.mark.parametrize("by", ["", "A\nB", "A\x1b[31m", "A" * 201])
def test_what_is_no_name_decides_nothing(held: Path, by: str) -> None:
    edit = ("users", "user_id=1", "--district", "lincoln", "--field", "first_name")
    answers = [
        call(*words, "--by", by, "--json", home=held)
        for words in (
            ("holds", "approve", "3"),
            ("holds", "discard", "3"),
            ("undo", "2"),
            ("override", "set", *edit, "--value", "x"),
            ("override", "clear", *edit),
            ("purge", "--district", "lincoln"),
        )
    ]

    assert [(answer.code, answer.document["error"]["code"]) for answer in answers] == [(2, "bad_words")] * 6
    assert call("holds", "list", "--json", home=held).document


def _worst_school(held: Path) -> str:
    schools = call("holds", "show", "3", "--json", home=held).document["hold"]["schools"]
    return str(max(schools, key=lambda part: part["pct"])["school"])


def test_a_hold_is_approved_without_the_removals_of_a_table(held: Path) -> None:
    whole = call("holds", "show", "3", "--json", home=held).document
    part = call("holds", "show", "3", "--leave-out", "contacts", "--leave-out", "enrollments", "--json", home=held)
    words = ("--leave-out", "contacts", "--leave-out", "enrollments", "--plan", part.document["hold"]["plan_sha256"][:12])
    done = call("holds", "approve", "3", "--by", "A. Steward", *words, "--json", home=held)

    assert whole["changes"]["enrollments"]["deleted"] > 0
    assert part.document["hold"]["plan_sha256"] != whole["hold"]["plan_sha256"]
    assert part.document["changes"]["enrollments"]["deleted"] == part.document["changes"]["contacts"]["deleted"] == 0
    assert part.document["status"] == "held"  # looking changes nothing
    assert (done.code, done.document["status"]) == (0, "published"), done.err
    assert done.document["changes"] == part.document["changes"]
    assert done.document["left_out"] == ["contacts", "enrollments"]


def test_a_hold_is_approved_without_the_removals_of_a_school(held: Path) -> None:
    school = f"school:{_worst_school(held)}"
    shown = call("holds", "show", "3", "--leave-out", school, home=held).out
    part = call("holds", "show", "3", "--leave-out", school, "--json", home=held).document
    done = call(
        "holds", "approve", "3", "--by", "A", "--leave-out", school, "--plan", part["plan_sha256"], "--json", home=held
    ).document

    assert f"holds approve 3 --by NAME --leave-out {school} --plan {part['plan_sha256'][:12]}" in shown
    assert f"left out: removals of {school}" in shown
    assert done["changes"] == part["changes"]
    assert _worst_school(held) not in {name for name, counts in done["plan"]["user_roles"]["schools"].items() if counts["absent"]}


def test_ids_in_a_suggested_command_are_quoted_for_the_shell() -> None:
    hold = {"plan_sha256": "0123456789abcdef"}

    assert approve_command({"hold": hold, "left_out": []}) == ""
    assert approve_command({"hold": hold, "left_out": ["school:a b; $(id)", "terms"], "renamed": ["2"]}) == (
        " --leave-out 'school:a b; $(id)' --leave-out terms --rename 2 --plan 0123456789ab"
    )


def test_a_part_is_approved_only_as_it_was_shown(held: Path) -> None:
    def refused(*words: str) -> str:
        return str(call("holds", "approve", "3", "--by", "A", *words, "--json", home=held).document["error"]["code"])

    whole = call("holds", "show", "3", "--json", home=held).document["hold"]["plan_sha256"]

    assert refused("--leave-out", "contacts") == "bad_words"
    assert refused("--leave-out", "contacts", "--plan", whole) == "bad_words"
    assert refused("--leave-out", "nothing", "--plan", whole) == "bad_leave_out"
    assert refused("--leave-out", "contacts", "--leave-out", "school:4711", "--plan", whole) == "nothing_left_out"
    assert call("holds", "list", "--json", home=held).document

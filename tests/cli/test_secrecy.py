"""No value of a cell, and no password, stands in what is printed, logged or reported."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from tests.cli.calling import call
from tests.post_office import post_office, webhook
from tests.stored import stored_bytes

CANARIES = ("Zanzibar-Quill", "zz-hush-password", "31/31/zz-date", "zz-mail-nowhere", "zz-grade", "zz-unknown-school")
WHERE_PEOPLE_REST = ("warehouse.sqlite", "archive", "staging")


@pytest.fixture
def upload(uploads: Path, tmp_path: Path) -> Path:
    """An upload with canaries where something is broken: a refused row, doubted cells, a password, damaged quoting."""
    folder = shutil.copytree(uploads / "a", tmp_path / "upload")
    with (folder / "students.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rows[0] |= {"Last_name": "", "First_name": CANARIES[0]}
    rows[-1] |= {"DOB": CANARIES[2], "Student_email": CANARIES[3], "Grade": CANARIES[4]}
    rows[-2] |= {"School_id": CANARIES[5], "Last_name": CANARIES[0]}
    for row in rows:
        row["Password"] = CANARIES[1]
    with (folder / "students.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with (folder / "staff.csv").open("a", encoding="utf-8") as file:
        file.write(f'007,"{CANARIES[0]},x" {CANARIES[0]},y\n')
    return folder


def leaks(text: str) -> list[str]:
    return [canary for canary in CANARIES if canary.casefold() in text.casefold()]


def test_findings_logs_and_reports_hold_no_cell(upload: Path, home: Path) -> None:
    (home / "roster_etl.toml").write_text("[reports]\ndata_docs = true\n", "utf-8")
    answers = [
        call("check", upload, "--format", "clever", home=home),
        call("import", upload, "--district", "lincoln", "--format", "clever", "--json", home=home),
        call("show", "1", home=home),
        call(
            "import",
            upload,
            "--district",
            "lincoln",
            "--format",
            "clever",
            "--option",
            f"course_number_scope={CANARIES[0]}",
            home=home,
        ),
    ]

    files = [file for file in home.rglob("*") if file.is_file() and file.relative_to(home).parts[0] not in WHERE_PEOPLE_REST]
    assert answers[1].document["findings"]
    assert [leaks(answer.out + answer.err) for answer in answers] == [[], [], [], []]
    assert {file.name for file in files if leaks(stored_bytes(file).decode("utf-8", "replace"))} == set()
    assert {"1.html", "1.json", "1.csv", "clever.students.html", "canonical.users.html"} <= {file.name for file in files}


def test_mail_alerts_and_metrics_hold_no_cell(upload: Path, home: Path, monkeypatch) -> None:
    with post_office() as office, webhook() as hook:
        monkeypatch.setenv("HOOK", hook.url)
        mail = f'[mail]\nhost = "127.0.0.1"\nport = {office.port}\nsecurity = "none"\nsender = "roster@example.org"\n'
        (home / "roster_etl.toml").write_text(mail + '[alerts]\nwebhook_env = "HOOK"\n', "utf-8")
        words = ("--district", "lincoln", "--format", "clever")
        call("districts", "add", "lincoln", "--format", "clever", home=home)
        call("districts", "contacts", "lincoln", "data@lincoln.example.org", "--mail", "always", home=home)
        answers = [call("import", upload, *words, home=home)]
        (upload / "sections.csv").unlink()
        answers += [call("import", upload, *words, home=home), call("metrics", home=home), call("outbox", "list", home=home)]
        told = [part.get_content() for mail in office.mail for part in mail.walk() if part.get_content_maintype() == "text"]
        heads = [str(mail.items()) for mail in office.mail]

    assert (len(office.mail), len(told)) == (2, 8)
    assert len(hook.texts) == 1
    assert [leaks(text) for text in (*told, *heads, *hook.texts, *(answer.out + answer.err for answer in answers))] == [[]] * 15
    kept = [file for file in (home / "outbox").rglob("*") if file.is_file()]
    assert [file.name for file in kept if leaks(file.read_text("utf-8"))] == []


def test_no_password_rests_anywhere(upload: Path, home: Path) -> None:
    call("import", upload, "--district", "lincoln", "--format", "clever", home=home)

    assert not [file.name for file in home.rglob("*") if file.is_file() and CANARIES[1].encode() in stored_bytes(file)]


@pytest.mark.parametrize("debug", [[], ["--debug"]])
def test_a_foreign_error_is_told_by_class_and_place(debug: list[str], told: Path, monkeypatch) -> None:
    def broken(*_: object, **__: object) -> None:
        try:
            raise KeyError(CANARIES[0])  # noqa: TRY301 - a cause with a cell in it
        except KeyError as error:
            raise ValueError(f"cannot convert {CANARIES[1]}") from error

    monkeypatch.setattr("roster_etl.cli.history.outcome", broken)
    answer = call("show", "1", "--json", *debug, home=told)

    assert answer.code == 1
    assert answer.document["error"]["code"] == "failed"
    assert "ValueError in " in answer.document["error"]["message"]
    assert leaks(answer.out + answer.err) == []
    assert ("KeyError" in answer.err) is bool(debug)


def test_an_import_that_fails_leaves_its_row_and_no_cell(uploads: Path, home: Path, monkeypatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError(CANARIES[0])

    monkeypatch.setattr("roster_etl.pipeline.steps.validate.validate_file", broken)
    answer = call("import", uploads / "a", "--district", "lincoln", "--format", "clever", "--json", home=home)

    assert (answer.code, answer.document["status"], answer.document["error"]["class"]) == (1, "failed", "ValueError")
    assert leaks(answer.out + answer.err) == []
    assert call("imports", "--json", home=home).document[0]["status"] == "failed"

"""Taking in files whose kind their headers tell."""

from __future__ import annotations

import time
import zipfile
from pathlib import Path

import pytest

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.uploads.classify import classify_files
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.landing.entries import Entry
from roster_etl.store.landing.upload_source import FetchedUpload
from roster_etl.store.registry.registry import District, Feed
from roster_etl.vendors import vendor
from tests.stored import stored_bytes

USERS = "user_id,login_id,status,password,ssha_password\nu1,ana,active,Sesame-4711,{SSHA}c2Vz\n"
MORE_USERS = "login_id,user_id,status,email\nben,u2,active,ben@example.org\nben,u2,suspended,ben@example.org\n"
ACCOUNTS = "account_id,parent_account_id,name,status\na1,,Lincoln,active\n"
TAGS = "tag_id,name,status\n1,Blue,active\n"
ODD = "Student_id,Name\n1,Ana\n"
BOTH = "section_id,user_id,role,status,name\ns1,u1,student,active,Period 1\n"


@pytest.fixture
def workspace(home: Path) -> Workspace:
    workspace = Workspace.open(home)
    workspace.registry.add(District(id="lincoln", feeds=(Feed(format="canvas"),)))
    return workspace


def put(folder: Path, **files: str | bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        content = text if isinstance(text, bytes) else text.encode()
        (folder / f"{name}.csv").write_bytes(content)
    return folder


def imported(workspace: Workspace, path: Path, **options: str) -> dict:
    return outcome(
        workspace, import_upload(workspace, Order(district_id="lincoln", source="canvas", path=str(path), options=options))
    )


def told(document: dict) -> list[tuple[str, str, str | None]]:
    return [(f["severity"], f["code"], f["file"]) for f in document["findings"] if f["severity"] != "info"]


def kinds(document: dict) -> dict[str, tuple[str | None, int]]:
    return {file["file"]: (file["kind"], file["rows_read"]) for file in document["files"]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("user_id;login_id;status\nu1;ana;active\n", "separated by semicolons"),
        ("user_id\tlogin_id\tstatus\nu1\tana\tactive\n", "separated by tabs"),
        ("sourcedId,status,dateLastModified,givenName\n1,active,,Ana\n", "a file of OneRoster"),
    ],
)
def test_another_kind_of_file_is_recognized_by_name(workspace: Workspace, tmp_path: Path, text: str, words: str) -> None:
    document = imported(workspace, put(tmp_path / "up", users=text))
    messages = [f["message"] for f in document["findings"] if f["code"] == "unrecognised_headers"]

    assert [words in message for message in messages] == [True]
    assert "Ana" not in messages[0]


def test_names_of_files_do_not_matter(workspace: Workspace, tmp_path: Path) -> None:
    document = imported(workspace, put(tmp_path / "up", courses=USERS, x=ACCOUNTS))

    assert document["status"] == "published"
    assert kinds(document) == {"courses.csv": ("users", 1), "x.csv": ("accounts", 1)}


def test_several_files_of_a_kind_load_in_the_order_of_their_paths(workspace: Workspace, tmp_path: Path) -> None:
    document = imported(workspace, put(tmp_path / "up", b=USERS, a=MORE_USERS))

    assert kinds(document) == {"a.csv": ("users", 2), "b.csv": ("users", 1)}


def test_a_zip_is_all_its_members_and_inner_archives_are_told(workspace: Workspace, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "up.ZIP", "w") as archive:
        archive.writestr("deep/er/u.CSV", USERS)
        archive.writestr("a.csv", ACCOUNTS)
        archive.writestr("__MACOSX/a.csv", "junk")
        archive.writestr("inner.zip", "PK")
        archive.writestr("read.me", "hello")
    document = imported(workspace, tmp_path / "up.ZIP")

    assert document["status"] == "published"
    assert told(document) == [("warning", "unknown_file_type", "inner.zip"), ("warning", "unknown_file_type", "read.me")]
    assert kinds(document)["deep/er/u.CSV"] == ("users", 1)


def test_a_folder_whose_only_archive_is_a_zip_means_the_zip(workspace: Workspace, tmp_path: Path) -> None:
    put(tmp_path / "up")
    with zipfile.ZipFile(tmp_path / "up" / "today.zip", "w") as archive:
        archive.writestr("u.csv", USERS)

    assert kinds(imported(workspace, tmp_path / "up")) == {"u.csv": ("users", 1)}


def test_one_csv_is_an_upload(workspace: Workspace, tmp_path: Path) -> None:
    assert imported(workspace, put(tmp_path / "up", x=USERS) / "x.csv")["status"] == "published"


UNUSABLE: list[tuple[str | bytes, str]] = [
    (ODD, "unrecognised_headers"),
    (BOTH, "ambiguous_headers"),
    ("", "empty_file"),
    (b"user_id,login_id,status\nu9,\xff,active\n", "invalid_encoding"),
    (b"user_id,login_id,status\n" + b"u9,l,active\n" * 500 + b"u8,\xff,active\n", "invalid_encoding"),
    (b"user_id,log\xffin_id,status\nu9,l,active\n", "invalid_encoding"),
    ('user_id,login_id,status\nu9,l,active\nu8,"l,active\n', "malformed_csv"),
    ('user_id,login_id,status\nu9,l,active\nu8,l"x,active\n', "malformed_csv"),
    ('user_id,login_id,status,password\nu9,l,active,x\nu8,"l,active\n', "malformed_csv"),
    ("user_id,login_id\nu9,l\n", "missing_column"),
    ("user_id,login_id,status,status\nu9,l,active,active\n", "duplicate_column"),
]


def test_a_file_that_cannot_be_used_is_refused_alone(workspace: Workspace, tmp_path: Path) -> None:
    bad = {f"bad{number:02}": content for number, (content, _) in enumerate(UNUSABLE)}
    document = imported(workspace, put(tmp_path / "up", a=ACCOUNTS, **bad))

    assert document["status"] == "published"
    assert sorted(told(document), key=lambda found: found[2]) == [
        ("file", code, f"bad{number:02}.csv") for number, (_, code) in enumerate(UNUSABLE)
    ]
    assert {name: counts[1] for name, counts in kinds(document).items() if name == "a.csv"} == {"a.csv": 1}


@pytest.mark.parametrize("bad", [ODD, BOTH, "", "user_id,login_id\nu9,l\n", b"user_id,login_id,status\nu9,\xff,active\n", TAGS])
def test_an_upload_without_a_usable_file_is_rejected(bad: str | bytes, workspace: Workspace, tmp_path: Path) -> None:
    assert imported(workspace, put(tmp_path / "up", bad=bad, odd=ODD))["status"] == "rejected"


def test_a_kind_that_is_not_supported_is_told_and_the_others_load(workspace: Workspace, tmp_path: Path) -> None:
    document = imported(workspace, put(tmp_path / "up", a=ACCOUNTS, tags=TAGS))

    assert document["status"] == "published"
    assert told(document) == [("warning", "unexpected_file", "tags.csv")]
    assert "differentiation_tags" in next(f["message"] for f in document["findings"] if f["code"] == "unexpected_file")


def test_the_same_files_again_are_unchanged_and_a_file_that_was_refused_is_told_of_again(
    workspace: Workspace, tmp_path: Path
) -> None:
    first, again = (imported(workspace, put(tmp_path / "up", a=ACCOUNTS, u=USERS)) for _ in "12")
    beside = imported(workspace, put(tmp_path / "up", bad=ODD))

    assert [first["status"], again["status"]] == ["published", "unchanged"]
    assert beside["status"] == "published"
    assert told(beside) == [("file", "unrecognised_headers", "bad.csv")]


@pytest.mark.parametrize("bad", [ODD, 'user_id,login_id,status,password\nu9,l,active,x\nu8,"l,active\n'])
def test_an_archived_upload_with_a_refused_file_can_be_run_again(bad: str, workspace: Workspace, tmp_path: Path) -> None:
    first = imported(workspace, put(tmp_path / "up", a=ACCOUNTS, bad=bad))
    imported(workspace, put(tmp_path / "next", a=ACCOUNTS.replace("Lincoln", "Tubman")))
    again = import_upload(workspace, Order(district_id="lincoln", source="canvas", archived=first["import_id"], rollback=True))

    assert [f for f in told(outcome(workspace, again)) if f[0] == "file"] == told(first)


def test_no_password_rests_anywhere(workspace: Workspace, tmp_path: Path, home: Path) -> None:
    bad = USERS.replace("active,Sesame", "activeX,Sesame") + 'u3,"cut,active,Sesame-4711,{SSHA}c2Vz'
    ragged = USERS + "u4,dana,active,Sesame-4711,{SSHA}c2Vz,more\n"
    logins = "user_id,login_id,existing_user_id,password,ssha_password\nl1,l,u1,Sesame-4711,{SSHA}c2Vz\n"
    misspelt = "user_id,login_id,status,Pass word\nu5,eve,active,Sesame-4711\n"
    document = imported(workspace, put(tmp_path / "up", a=USERS, b=bad, c=logins, d=misspelt, e=ragged))

    assert document["status"] == "published"
    assert "Sesame" not in str(document)
    assert not [path for path in home.rglob("*") if path.is_file() and b"Sesame" in stored_bytes(path)]
    assert not [path for path in home.rglob("*") if path.is_file() and b"c2Vz" in stored_bytes(path)]


def test_a_password_in_a_file_of_no_kind_is_not_kept(workspace: Workspace, tmp_path: Path, home: Path) -> None:
    imported(workspace, put(tmp_path / "up", a=ACCOUNTS, x="login,password\nana,Sesame-4711\n"))

    assert not [path for path in home.rglob("*") if path.is_file() and b"Sesame" in stored_bytes(path)]


@pytest.mark.parametrize(
    "options", [{"batch_mode": "true", "diffing_data_set_identifier": "x"}, {"multi_term_batch_mode": "true"}]
)
def test_contradicting_options_open_no_import(options: dict[str, str], workspace: Workspace, tmp_path: Path) -> None:
    from roster_etl.spec.options import ContradictingOptions

    with pytest.raises(ContradictingOptions):
        imported(workspace, put(tmp_path / "up", a=ACCOUNTS), **options)
    assert workspace.warehouse.ledger.imports("lincoln", "canvas") == []


@pytest.mark.parametrize(("name", "said"), [("note{}.txt", False), ("a{}/users.csv", True)])
def test_twenty_thousand_files_that_are_not_the_formats_cost_little(name: str, said: bool):
    names = [*(name.format(n) for n in range(20_000)), "academicSessions.csv"]
    foreign = tuple(Entry(name=one, size=0, mtime=0) for one in names)
    upload = FetchedUpload(kind="folder", where="", files=(), foreign=foreign)
    begun = time.process_time()

    _, findings = classify_files(vendor("clever").format, upload, "utf-8")

    assert time.process_time() - begun < 3  # with the square of their number, a minute
    assert any("named like a file of OneRoster" in finding.message and finding.file != names[-1] for finding in findings) is said

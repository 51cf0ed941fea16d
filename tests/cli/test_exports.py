"""``export`` and ``exports``: words, documents, exit codes, places, and the ledger of what left."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from roster_etl.projections.samples import write_sample
from roster_etl.vendors import vendor
from tests.cli.calling import call
from tests.exporting import make_home

pytestmark = pytest.mark.usefixtures("direct_imports")

HEADER = ["sourcedId", "status", "dateLastModified"]


@pytest.fixture
def home(saved, tmp_path, uploads) -> Path:
    """A home where two days of the district ``lincoln`` were imported."""
    saved.copy("two-days", lambda folder, url: make_home(folder, url, uploads / "a", uploads / "b"), tmp_path)
    return tmp_path / "home"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text, strict=True))


def exported(home: Path, name: str, to: Path, *more: object):
    return call("export", name, "--district", "lincoln", "--to", to, "--json", *more, home=home)


def test_an_export_is_a_document_a_folder_and_a_line_in_the_ledger(home, tmp_path):
    answer = exported(home, "clever", tmp_path / "out", "--by", "A. Steward")
    document = answer.document

    assert answer.code == 0
    assert (document["export_id"], document["status"], document["mode"], document["as_of_import"]) == (1, "written", "bulk", 2)
    assert {file["file"] for file in document["files"]} == {path.name for path in (tmp_path / "out").iterdir()}
    listed = call("exports", "--district", "lincoln", "--json", home=home).document
    assert [(row["export_id"], row["status"], row["requested_by"], row["files"]) for row in listed] == [
        (1, "written", "A. Steward", document["files"])
    ]


def test_the_format_may_be_an_option(home, tmp_path):
    assert call("export", "--format", "dyknow", "--district", "lincoln", "--to", tmp_path / "out", home=home).code == 0
    assert (tmp_path / "out" / "Schools.csv").exists()


def test_the_same_call_gives_the_same_bytes_as_folder_and_as_zip(home, tmp_path):
    documents = [exported(home, "clever", tmp_path / name).document for name in ("a", "b", "a.zip", "b.zip")]

    assert documents[0]["files"] == documents[1]["files"] == documents[2]["files"]
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as found:
        assert sorted(found.namelist()) == sorted(path.name for path in (tmp_path / "a").iterdir())


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("nonsense",), "unknown_format"),
        (("clever", "--source", "canvas"), "nothing_published"),
        (("clever", "--as-of", "import:99"), "unknown_import"),
        (("clever", "--as-of", "2001-01-01"), "nothing_published"),
        (("clever", "--as-of", "soon"), "bad_option"),
        (("clever", "--as-of", "2999-01-01"), "bad_option"),
        (("clever", "--since", "1"), "no_delta"),
        (("clever", "--option", "colour=blue"), "bad_option"),
        (("oneroster", "--option", "oneroster_version=2"), "bad_option"),
        (("clever", "--school", "nowhere"), "unknown_school"),
        (("clever", "--leave-out", "pets"), "unknown_table"),
        (("clever", "--leave-out", "users.shoe_size"), "unknown_table"),
        (("clever", "--leave-out", "users.last_name"), "needed"),
        (("clever", "--leave-out", "users"), "needed"),
        (("clever", "--formulas", "maybe"), "bad_option"),
        (("clever", "--to", "nosuch://bucket/out"), "bad_option"),
        (("clever", "--to", ""), "bad_words"),
    ],
)
def test_slips_of_the_call_are_told_and_leave_nothing(home, tmp_path, words, code):
    answer = exported(home, words[0], tmp_path / "out", *words[1:])

    assert (answer.code, answer.document["error"]["code"]) == (2, code)
    assert not (tmp_path / "out").exists()
    assert call("exports", "--json", home=home).document == []


def test_an_unknown_district_is_a_slip(home, tmp_path):
    answer = call("export", "clever", "--district", "nobody", "--to", tmp_path / "out", "--json", home=home)

    assert (answer.code, answer.document["error"]["code"]) == (2, "unknown_district")


def test_a_district_without_a_roster_or_with_several_is_told_apart(home, tmp_path):
    assert call("districts", "add", "fresh", "--format", "clever", home=home).code == 0
    write_sample(vendor("dyknow"), tmp_path / "second", students=6, seed=1)
    assert call("import", tmp_path / "second", "--district", "lincoln", "--format", "dyknow", "--register", home=home).code == 0

    nothing = call("export", "clever", "--district", "fresh", "--to", tmp_path / "out", "--json", home=home)
    several = exported(home, "clever", tmp_path / "out")

    assert (nothing.code, nothing.document["error"]["code"]) == (2, "nothing_published")
    assert (several.code, several.document["error"]["code"]) == (2, "several_feeds")
    assert "clever, dyknow" in several.document["error"]["message"]
    assert not (tmp_path / "out").exists()
    assert exported(home, "dyknow", tmp_path / "out", "--source", "dyknow").code == 0


def test_a_folder_with_files_of_others_is_left_alone(home, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")

    for more in ((), ("--replace",)):
        answer = exported(home, "clever", tmp_path / "out", *more)
        assert (answer.code, answer.document["error"]["code"]) == (2, "not_empty")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_replace_exchanges_what_a_former_export_left(home, tmp_path):
    assert exported(home, "clever", tmp_path / "out").code == 0
    assert exported(home, "clever", tmp_path / "out").code == 2
    assert exported(home, "dyknow", tmp_path / "out", "--replace").code == 0
    assert "Schools.csv" in {path.name for path in (tmp_path / "out").iterdir()}
    assert "schools.csv" not in {path.name for path in (tmp_path / "out").iterdir()}
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_file_of_others_that_is_named_like_a_zip_is_not_replaced(home, tmp_path):
    (tmp_path / "out.zip").write_text("mine")
    answer = exported(home, "clever", tmp_path / "out.zip", "--replace")

    assert (answer.code, answer.document["error"]["code"]) == (2, "not_empty")
    assert (tmp_path / "out.zip").read_text() == "mine"
    (tmp_path / "out.zip").unlink()
    assert [exported(home, name, tmp_path / "out.zip", "--replace").code for name in ("clever", "dyknow")] == [0, 0]


def test_a_relative_path_is_written_down_in_full(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    document = exported(home, "clever", "out").document

    assert document["to"] == str(tmp_path / "out")
    assert [row["destination"] for row in call("exports", "--json", home=home).document] == [str(tmp_path / "out")]


def test_people_of_two_kinds_who_share_an_id_refuse_an_export_with_one_space_of_ids(home, tmp_path):
    answer = exported(home, "oneroster", tmp_path / "out")

    assert (answer.code, answer.document["status"], answer.document["refused"]["reason"]) == (4, "refused", "id_clash")
    assert not (tmp_path / "out").exists()
    assert [row["status"] for row in call("exports", "--json", home=home).document] == ["refused"]


def test_a_strict_export_refuses_losses(home, tmp_path):
    answer = exported(home, "dyknow", tmp_path / "out", "--strict")

    assert (answer.code, answer.document["refused"]["reason"]) == (4, "losses")
    assert not (tmp_path / "out").exists()
    assert exported(home, "clever", tmp_path / "out", "--strict").code == 0


@pytest.fixture
def odd(saved, tmp_path) -> Path:
    """A home of a roster with formulas in two files, and line breaks in names."""

    def make(folder: Path, url: str) -> None:
        (folder / "home").mkdir()
        (folder / "home" / "roster_etl.toml").write_text(f'[warehouse]\nurl = "{url}"\n')
        write_sample(vendor("clever"), folder / "upload", students=30, seed=3)
        replace_cells(folder / "upload" / "schools.csv", "School_id", "School_name", ["=1+1"])
        replace_cells(
            folder / "upload" / "students.csv", "Student_id", "Last_name", ["@SUM(1)", "-5", "One\nTwo", "+x y", "\u2028Three"]
        )
        answer = call("import", folder / "upload", "--district", "lincoln", "--format", "clever", home=folder / "home")
        assert answer.code == 0, answer.out

    saved.copy("odd-names", make, tmp_path)
    return tmp_path / "home"


def replace_cells(path: Path, key: str, column: str, values: list[str]) -> None:
    rows = rows_of(path)
    records = dict(zip(dict.fromkeys(row[key] for row in rows), values, strict=False))  # several rows may be of one
    for row in rows:
        row[column] = records.get(row[key], row[column])
    with path.open("w", encoding="utf-8", newline="") as text:
        out = csv.DictWriter(text, list(rows[0]))
        out.writeheader()
        out.writerows(rows)


@pytest.mark.parametrize("words", [("clever",), ("canonical", "--option", "file_type=csv")], ids=["vendor", "canonical"])
def test_formulas_of_all_files_are_guarded_or_counted_and_no_cell_has_a_line_break(odd, tmp_path, words):
    guarded = exported(odd, words[0], tmp_path / "out", *words[1:]).document
    refused = exported(odd, words[0], tmp_path / "no", *words[1:], "--formulas", "refuse")
    changed = [loss for loss in guarded["losses"] if loss["reason"] == "formula"]
    cells = [cell for path in (tmp_path / "out").glob("*.csv") for row in rows_of(path) for cell in row.values()]

    assert {loss["table"] for loss in changed} == {"organizations", "users"}
    assert (refused.code, refused.document["refused"]) == (
        4,
        {"reason": "formulas", "count": sum(loss["count"] for loss in changed)},
    )
    assert not (tmp_path / "no").exists()
    assert {"'=1+1", "'@SUM(1)", "-5", "One Two"} <= set(cells)
    assert not any("\n" in cell or cell.startswith(("=", "@", "+")) for cell in cells)
    assert {loss["reason"] for loss in guarded["losses"]} >= {"formula", "line_break"}


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_oneroster_has_a_manifest_that_says_what_is_there(home, tmp_path, version):
    more = ("--option", f"oneroster_version={version}", "--option", "user_ids=kinded")
    document = exported(home, "oneroster", tmp_path / "out", *more).document
    manifest = {row["propertyName"]: row["value"] for row in rows_of(tmp_path / "out" / "manifest.csv")}
    names = {file["file"].removesuffix(".csv") for file in document["files"]} - {"manifest"}

    assert document["files"][-1]["file"] == "manifest.csv"
    assert (manifest["manifest.version"], manifest["oneroster.version"]) == ("1.0", version)
    assert {name.removeprefix("file.") for name, mode in manifest.items() if mode == "bulk"} == names
    assert ("roles" in names) == (version == "1.2")
    for name in names:
        assert list(rows_of(tmp_path / "out" / f"{name}.csv")[0])[:3] == HEADER


def test_a_delta_and_the_bulk_before_it_make_the_bulk_of_now(home, tmp_path):
    more = ("--option", "user_ids=kinded")
    for folder, words in (("then", ("--as-of", "import:1")), ("delta", ("--since", "1")), ("now", ())):
        assert exported(home, "oneroster", tmp_path / folder, *more, *words).code == 0
    for path in (tmp_path / "now").iterdir():
        if path.name == "manifest.csv":
            continue
        known = {row["sourcedId"]: row for row in rows_of(tmp_path / "then" / path.name)}
        changes = rows_of(tmp_path / "delta" / path.name) if (tmp_path / "delta" / path.name).exists() else []
        assert all(row["dateLastModified"].endswith("Z") for row in changes)
        for row in changes:
            del row["dateLastModified"]
            if row.pop("status") == "active":
                known[row["sourcedId"]] = row
            else:
                del known[row["sourcedId"]]
        wanted = {row["sourcedId"]: row for row in rows_of(path)}
        trimmed = {key: {k: v for k, v in row.items() if k not in HEADER[1:]} for key, row in known.items()}

        assert trimmed == {key: {k: v for k, v in row.items() if k not in HEADER[1:]} for key, row in wanted.items()}, path.name


def test_a_delta_without_a_difference_is_its_manifest(home, tmp_path):
    document = exported(home, "oneroster", tmp_path / "out", "--since", "2", "--option", "user_ids=kinded").document

    assert [file["file"] for file in document["files"]] == ["manifest.csv"]
    assert {row["value"] for row in rows_of(tmp_path / "out" / "manifest.csv") if row["propertyName"].startswith("file.")} == {
        "absent"
    }


def test_what_must_not_be_disclosed_is_not_there(home, tmp_path):
    document = exported(
        home, "clever", tmp_path / "out", "--leave-out", "contacts", "--leave-out", "student_profiles.race"
    ).document
    students = rows_of(tmp_path / "out" / "students.csv")
    left_out = {(loss["kind"], loss["table"], loss["column"]) for loss in document["losses"] if loss["reason"] == "left_out"}

    assert {"Race", "Contact_name"} & set(students[0]) == set()
    assert left_out >= {("table_left_out", "contacts", None), ("column_left_out", "student_profiles", "race")}


def test_one_school_brings_its_people_and_nothing_else(home, tmp_path):
    everything = exported(home, "clever", tmp_path / "all").document
    school = rows_of(tmp_path / "all" / "schools.csv")[0]["School_id"]
    document = exported(home, "clever", tmp_path / "one", "--school", school).document

    assert document["options"]["schools"] == [school]
    assert {row["School_id"] for row in rows_of(tmp_path / "one" / "schools.csv")} == {school}
    assert {row["School_id"] for row in rows_of(tmp_path / "one" / "sections.csv")} == {school}
    counts = [{file["file"]: file["rows"] for file in found["files"]} for found in (everything, document)]
    assert 0 < counts[1]["students.csv"] < counts[0]["students.csv"]
    enrolled = {row["Student_id"] for row in rows_of(tmp_path / "one" / "enrollments.csv")}
    assert enrolled <= {row["Student_id"] for row in rows_of(tmp_path / "one" / "students.csv")}


@pytest.mark.parametrize("file_type", ["parquet", "csv"])
def test_canonical_tables_come_with_their_description(home, tmp_path, file_type):
    document = exported(home, "canonical", tmp_path / "out", "--option", f"file_type={file_type}").document
    described = json.loads((tmp_path / "out" / "tables.json").read_text("utf-8"))["tables"]
    counts = {file["file"]: file["rows"] for file in document["files"]}

    assert document["losses"] == []
    assert counts[f"users.{file_type}"] == described["users"]["rows"] > 0
    if file_type == "parquet":
        assert pq.read_table(tmp_path / "out" / "users.parquet").column_names == [
            c["name"] for c in described["users"]["columns"]
        ]


@pytest.mark.parametrize("source", ["clever", "dyknow"])
def test_canonical_tables_are_those_of_one_feed(home, tmp_path, source):
    write_sample(vendor("dyknow"), tmp_path / "dyknow", students=5, seed=3)
    assert call("import", tmp_path / "dyknow", "--district", "lincoln", "--format", "dyknow", "--register", home=home).code == 0

    exported(home, "canonical", tmp_path / "out", "--source", source)

    rows = pq.read_table(tmp_path / "out" / "users.parquet")
    assert {*rows.column("source").to_pylist()} == {source}
    assert (rows.column("user_kind").to_pylist().count("student") == 5) == (source == "dyknow")


@pytest.mark.parametrize("name", ["sds", "apple_school_manager", "edfi"])
def test_formats_that_are_only_exported_are_written(home, tmp_path, name):
    more = ("--option", "school_id=organization_id", "--option", "student_id=user_id") if name == "edfi" else ()
    document = exported(home, name, tmp_path / "out", "--option", "user_ids=kinded", *more).document

    assert document["status"] == "written"
    assert all(file["bytes"] for file in document["files"])
    ends = b"\n" if name != "sds" else b"\r\n"
    assert all(path.read_bytes().endswith(ends) for path in (tmp_path / "out").iterdir())


def test_an_export_to_a_url_is_written_there(home, tmp_path):
    answer = call("export", "dyknow", "--district", "lincoln", "--to", "memory://exports/lincoln", "--json", home=home)

    assert (answer.code, answer.document["status"]) == (0, "written")
    again = call("export", "dyknow", "--district", "lincoln", "--to", "memory://exports/lincoln", "--json", home=home)
    assert (again.code, again.document["error"]["code"]) == (2, "not_empty")

"""Uploads of a OneRoster district as districts send them: what the manifest says, whole files, changes, and both in turn."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.maintenance.purge import PurgeTarget, purge
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.district import District, Feed
from tests.saved import SavedFolders
from tests.stored import stored_bytes

WHO = ("oak", "oneroster")
HEADS = {
    "orgs": "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId",
    "academicSessions": "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear",
    "courses": "sourcedId,status,dateLastModified,schoolYearSourcedId,title,courseCode,grades,orgSourcedId,subjects,subjectCodes",
    "classes": "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,schoolSourcedId,"
    "termSourcedIds,subjects,subjectCodes,periods",
    "users": "sourcedId,status,dateLastModified,enabledUser,username,userIds,givenName,familyName,middleName,identifier,email,sms,"
    "phone,agentSourcedIds,grades,password,userMasterIdentifier,preferredGivenName,preferredMiddleName,preferredFamilyName,"
    "primaryOrgSourcedId,pronouns",
    "roles": "sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId,userProfileSourcedId",
    "enrollments": "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate",
}
ROWS: Mapping[str, tuple[str, ...]] = {
    "orgs": ("d,,,Oak,district,,", "s1,,,Oak High,school,,d"),
    "academicSessions": ("y,,,2026-2027,schoolYear,2026-08-15,2027-06-12,,2027",),
    "courses": ("m,,,y,Math,MA,,s1,,",),
    "classes": ("c1,,,Math 1,,m,,scheduled,,s1,y,,,", "c2,,,Math 2,,m,,scheduled,,s1,y,,,"),
    "users": (
        "a,,,true,ana,,Ana,Sato,,,,,,,9,secret-word,,,,,,",
        "b,,,true,ben,,Ben,Null,,,,,,,9,secret-word,,,,,,",
        "t,,,true,tim,,Tim,Haddad,,,,,,,,secret-word,,,,,,",
    ),
    "roles": ("ra,,,a,primary,student,,,s1,", "rb,,,b,primary,student,,,s1,", "rt,,,t,primary,teacher,,,s1,"),
    "enrollments": ("ea,,,c1,s1,a,student,,,", "eb,,,c1,s1,b,student,,,", "et,,,c1,s1,t,teacher,true,,"),
}
UNREAD = (
    "categories", "classResources", "courseResources", "lineItemLearningObjectiveIds", "lineItems", "lineItemScoreScales",
    "resources", "resultLearningObjectiveIds", "results", "resultScoreScales", "scoreScales", "userResources",
)  # fmt: skip
MODES = {**dict.fromkeys(HEADS, "bulk"), **dict.fromkeys((*UNREAD, "demographics", "userProfiles"), "absent")}
T1, T2, T3 = (f"2026-09-0{day}T06:00:00.000Z" for day in (1, 2, 3))
Document = dict[str, Any]


def manifest(modes: Mapping[str, str] | None = None, **properties: str) -> str:
    """Return a manifest of 1.2: `modes` of single files, and other properties with dots written as two underscores."""
    said = {"manifest.version": "1.0", "oneroster.version": "1.2"}
    said |= {f"file.{name}": mode for name, mode in (MODES | dict(modes or {})).items()}
    said |= {name.replace("__", "."): value for name, value in properties.items()}
    return "\n".join(["propertyName,value", *(f"{name},{value}" for name, value in said.items() if value)]) + "\n"


def text_of(name: str, rows: tuple[str, ...]) -> str:
    """Return the text of a file with these rows."""
    return "\n".join([HEADS[name], *rows]) + "\n"


def whole(**changed: tuple[str, ...]) -> dict[str, str]:
    """Return the files of a bulk upload, some of them `changed`."""
    return {"manifest": manifest()} | {name: text_of(name, rows) for name, rows in {**ROWS, **changed}.items()}


def changes(**rows: tuple[str, ...]) -> dict[str, str]:
    """Return the files of an upload with changes of some files, and nothing else."""
    modes = dict.fromkeys(HEADS, "absent") | dict.fromkeys(rows, "delta")
    return {"manifest": manifest(modes)} | {name: text_of(name, lines) for name, lines in rows.items()}


class Oak:
    """A district with a home, which uploads day by day."""

    def __init__(self, folder: Path, days: int = 0) -> None:
        self.folder = folder
        self.days = days

    def upload(self, files: Mapping[str, str], *, zipped: bool = False, **options: str) -> Document:
        """Import `files`, and return the outcome."""
        self.days += 1
        day = self.folder / f"day{self.days}"
        day.mkdir()
        for name, text in files.items():
            (day / (name if "." in name else f"{name}.csv")).write_text(text, encoding="utf-8")
        path = _zipped(day) if zipped else day
        workspace = Workspace.open(self.folder / "home")
        if not workspace.registry.exists(WHO[0]):
            workspace.registry.add(District(id=WHO[0], feeds=(Feed(format=WHO[1]),)))
        try:
            order = Order(district_id=WHO[0], source=WHO[1], path=str(path), options=options)
            return outcome(workspace, import_upload(workspace, order))
        finally:
            workspace.warehouse.close()

    def current(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        """Return the current records of `table`, in order."""
        workspace = Workspace.open(self.folder / "home")
        try:
            with workspace.warehouse.read() as session:
                known = session.roster.current_hashes(*WHO, table).column("version_id")
                rows = session.roster.versions(table, known).to_pylist()
            return sorted(tuple(row[column] for column in columns) for row in rows)
        finally:
            workspace.warehouse.close()

    def closed(self, table: str, key: str, import_id: int) -> list[tuple[str, str]]:
        """Return key and reason of the versions that an import closed."""
        workspace = Workspace.open(self.folder / "home")
        try:
            with workspace.warehouse.read() as session:
                rows = session.roster.trace(table, {}, *WHO).to_pylist()
            return sorted((row[key], row["close_reason"]) for row in rows if row["valid_to_import"] == import_id)
        finally:
            workspace.warehouse.close()


def _zipped(day: Path) -> Path:
    path = day.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(day.iterdir()):
            archive.write(file, f"OneRoster/{file.name}")  # one folder level, as macOS compresses
    return path


def told(document: Document, *severities: str) -> list[tuple[str, str, str | None, int | None]]:
    """Return the findings of these severities: severity, code, file, row."""
    wanted = severities or ("upload", "file", "reject", "warning")
    return [(f["severity"], f["code"], f["file"], f["row"]) for f in document["findings"] if f["severity"] in wanted]


def _prepare(folder: Path, _: str) -> None:
    assert Oak(folder).upload(whole())["status"] == "published"


@pytest.fixture
def oak(saved: SavedFolders, tmp_path: Path) -> Oak:
    """A district whose first, whole upload was published."""
    saved.copy("oneroster", _prepare, tmp_path)
    return Oak(tmp_path, days=1)


@pytest.fixture
def new(tmp_path: Path) -> Oak:
    """A district without an upload."""
    return Oak(tmp_path)


# ---- the manifest

REFUSED = [
    pytest.param({k: v for k, v in whole().items() if k != "manifest"}, "missing_manifest", id="none"),
    pytest.param(whole() | {"manifest": manifest(oneroster__version="2.0")}, "unknown_version", id="unknown version"),
    pytest.param(whole() | {"manifest": manifest(manifest__version="")}, "unknown_version", id="no version of its own"),
    pytest.param(whole() | {"manifest": manifest({"users": "full"})}, "bad_value", id="unknown word"),
    pytest.param(whole() | {"manifest": manifest({"demographics": "bulk"})}, "missing_file", id="a file did not come"),
    pytest.param(whole() | {"manifest": f"{manifest()}file.users,delta\n"}, "duplicate_key", id="two words for a file"),
    pytest.param(whole() | {"manifest": "a,b,c\n1,2,3\n"}, "unrecognised_headers", id="no manifest"),
]


@pytest.mark.parametrize(("files", "code"), REFUSED)
def test_an_upload_is_refused_whose_manifest_does_not_say_what_it_is(new: Oak, files: Mapping[str, str], code: str) -> None:
    document = new.upload(files)

    assert (document["status"], document["changes"]) == ("rejected", {})
    assert [found[1] for found in told(document, "upload")] == [code]


SLIPS = [
    pytest.param(manifest(manifest__version="1"), "bad_value", id="saved by a spreadsheet"),
    pytest.param(manifest(oneroster__version="1.2.1"), "bad_value", id="number of the errata"),
    pytest.param(manifest({"users": "Bulk"}), "wrong_case", id="case of a word"),
    pytest.param(manifest({"demographics": ""}), "missing_required", id="no property for a file that did not come"),
    pytest.param(manifest({"users": ""}), "missing_required", id="no property for a file that came"),
    pytest.param(manifest({"enrollments": "absent"}), "unexpected_file", id="a file that should be absent"),
]


@pytest.mark.parametrize(("text", "code"), SLIPS)
def test_what_practice_gets_wrong_is_a_warning_and_refuses_a_strict_upload(new: Oak, text: str, code: str) -> None:
    lenient = new.upload(whole() | {"manifest": text})
    strict = new.upload(whole(orgs=(*ROWS["orgs"], "s9,,,Elm,school,,d")) | {"manifest": text}, conformance="strict")

    assert (lenient["status"], [found[:2] for found in told(lenient)]) == ("published", [("warning", code)])
    assert (strict["status"], {found[:2] for found in told(strict)}) == ("rejected", {("upload", code)})


def test_an_upload_that_keeps_to_the_document_is_strict_enough(new: Oak) -> None:
    document = new.upload(whole(), conformance="strict", zipped=True)

    assert (document["status"], told(document)) == ("published", [])


def test_without_a_manifest_the_settings_name_the_version(new: Oak) -> None:
    files = {name: text for name, text in whole().items() if name != "manifest"}
    document = new.upload(files, oneroster_version="1.2")

    assert (document["status"], told(document)) == ("published", [("warning", "missing_manifest", "manifest.csv", None)])
    assert len(new.current("users", "user_id")) == 3


def test_version_1_0_is_told_by_its_headers(new: Oak) -> None:
    document = new.upload({"users": "sourcedId,userId,role,grade\n1,1,student,9\n"})

    assert document["findings"][0]["code"] == "missing_manifest"
    assert "userId, grade" in document["findings"][0]["message"]


def test_files_of_the_gradebook_are_told_and_counted(new: Oak) -> None:
    files = whole() | {"manifest": manifest({"results": "bulk", "courseResources": "delta"})}
    document = new.upload(files | {"results": "sourcedId\nr1\nr2\n", "courseResourses": "sourcedId\n"})

    assert document["status"] == "published"
    assert told(document, "info", "warning") == [
        ("info", "file_not_loaded", "courseResourses.csv", None),
        ("warning", "column_alias", "courseResourses.csv", None),
        ("info", "file_not_loaded", "results.csv", None),
    ]


def test_roles_in_users_are_read_as_the_older_version_where_no_roles_came(new: Oak) -> None:
    users = "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,givenName,familyName\na,,,true,s1,student,ana,Ana,Sato\n"
    files = {name: text for name, text in whole().items() if name not in ("roles", "enrollments")}
    modes = {"roles": "absent", "enrollments": "absent"}
    document = new.upload(files | {"users": users, "manifest": manifest(modes)})

    assert ("warning", "file_mode_mismatch", "users.csv", None) in told(document)
    assert new.current("user_roles", "user_id", "organization_id", "role") == [("a", "s1", "student")]


# ---- whole files and what goes on


def test_a_file_that_is_absent_goes_on_and_a_whole_one_replaces(oak: Oak) -> None:
    modes = dict.fromkeys(HEADS, "absent") | {"enrollments": "bulk"}
    rows = (*ROWS["enrollments"][:2], "e9,,,c2,s1,b,student,,,")
    document = oak.upload({"manifest": manifest(modes), "enrollments": text_of("enrollments", rows)})

    assert (document["status"], told(document)) == ("published", [])
    assert document["changes"]["enrollments"] == {"created": 1, "updated": 0, "deleted": 1}
    assert oak.closed("enrollments", "user_id", document["import_id"]) == [("t", "absent")]
    assert len(oak.current("users", "user_id")) == 3


def test_a_student_who_is_gone_from_users_goes_though_other_files_still_list_them(oak: Oak) -> None:
    def day(*people: str) -> dict[str, str]:
        own = "sourcedId,status,dateLastModified,birthDate,sex\na,,,2010-01-01,female\nb,,,2010-01-02,female\n"
        rows = tuple(row for row in ROWS["users"] if row[0] in people)
        return whole(users=rows) | {"manifest": manifest({"demographics": "bulk"}), "demographics": own}

    assert oak.upload(day("a", "b", "t"))["status"] == "published"
    document = oak.upload(day("a", "t"), delete_threshold_pct="100", refused_rows_pct="100")

    closed = {name: oak.closed(name, "user_id", document["import_id"]) for name in ("users", "student_profiles", "enrollments")}
    assert closed == {"users": [("b", "absent")], "student_profiles": [("b", "cascade")], "enrollments": [("b", "cascade")]}
    assert ("reject", "unknown_reference", "demographics.csv", 3) in told(document)


def test_a_parent_who_is_gone_from_users_is_nobodys_contact_any_more(oak: Oak) -> None:
    child, *others = ROWS["users"]
    family = (child.replace(",,,,,,,9,", ",,,,,,p,9,"), "p,,,true,pia,,Pia,Sato,,,,,,,,secret-word,,,,,,")
    roles = (*ROWS["roles"], "rp,,,p,primary,parent,,,s1,")
    assert oak.upload(whole(users=(*family, *others), roles=roles))["status"] == "published"
    assert oak.current("contacts", "user_id", "contact_id") == [("a", "p")]

    document = oak.upload(whole(users=(family[0], *others)))

    assert oak.closed("users", "user_id", document["import_id"]) == [("p", "absent")]
    assert oak.closed("contacts", "contact_id", document["import_id"]) == [("p", "cascade")]
    assert ("warning", "unknown_reference", "users.csv", 2) in told(document)


def test_a_file_without_a_required_column_rejects_the_upload(oak: Oak) -> None:
    document = oak.upload(whole() | {"users": "sourcedId,status,dateLastModified,enabledUser\na,,,true\n"})

    assert (document["status"], document["changes"]) == ("rejected", {})
    assert ("file", "missing_column", "users.csv", None) in told(document)


def test_what_follows_a_held_upload_includes_it_and_is_held_too(oak: Oak) -> None:
    many = tuple(f"n{n},active,{T1},maybe,n{n},,N,N,,,,,,,9,secret-word,,,,,," for n in range(12))
    held = oak.upload(changes(users=(*many, f"a,active,{T1},true,ana,,Ana,Rivera,,,,,,,9,secret-word,,,,,,")))
    assert held["status"] == "held"  # most of its rows are rejected

    after = oak.upload(changes(roles=(f"r9,active,{T1},a,secondary,ext:helper,,,s1,",)))
    assert after["status"] == "held"
    assert after["changes"]["users"]["updated"] == 1


def test_an_empty_whole_file_removes_nothing(oak: Oak) -> None:
    document = oak.upload(whole(enrollments=()))

    assert ("warning", "empty_file", "enrollments.csv", None) in told(document)
    assert len(oak.current("enrollments", "user_id")) == 3


def test_a_manifest_alone_changes_nothing(oak: Oak) -> None:
    document = oak.upload({"manifest": manifest(dict.fromkeys(HEADS, "absent"))})

    assert (document["status"], told(document)) == ("unchanged", [])
    assert len(oak.current("enrollments", "user_id")) == 3


def test_another_time_alone_opens_no_version(oak: Oak) -> None:
    rows = tuple(row.replace(",,,", f",active,{T1},", 1) for row in ROWS["orgs"])
    document = oak.upload(whole(orgs=rows))

    assert (document["status"], told(document)) == ("unchanged", [("warning", "ignored_value", "orgs.csv", None)])


# ---- changes


def test_changes_add_replace_and_remove(oak: Oak) -> None:
    document = oak.upload(
        changes(
            users=(
                f"a,active,{T1},true,ana,,Ana,Rivera,,,,,,,10,secret-word,,,,,,",
                f"b,tobedeleted,{T1}" + "," * 19,
                f"n,active,{T1},true,nia,,Nia,New,,,,,,,9,secret-word,,,,,,",
            ),
            roles=(f"rn,active,{T1},n,primary,student,,,s1,",),
            enrollments=(f"en,active,{T1},c1,s1,n,student,,,",),
        )
    )
    number = document["import_id"]

    assert (document["status"], told(document)) == ("published", [])
    assert oak.current("users", "user_id", "last_name") == [("a", "Rivera"), ("n", "New"), ("t", "Haddad")]
    assert oak.closed("users", "user_id", number) == [("a", "changed"), ("b", "deleted")]
    assert oak.closed("enrollments", "user_id", number) == [("b", "cascade")]
    assert oak.current("enrollments", "user_id") == [("a",), ("n",), ("t",)]


def test_a_row_of_changes_is_found_where_it_stood(oak: Oak) -> None:
    oak.upload(changes(users=(f"b,active,{T1},true,ben,,Ben,Known,,,,,,,9,secret-word,,,,,,",)))

    assert ("b", "users.csv", 2, 2) in oak.current("users", "user_id", "source_file", "source_row", "valid_from_import")


def test_what_went_with_a_user_comes_back_by_later_changes_only_where_it_is_sent(oak: Oak) -> None:
    oak.upload(changes(enrollments=(f"ea,tobedeleted,{T1}" + "," * 7,)))
    assert oak.current("enrollments", "user_id") == [("b",), ("t",)]

    oak.upload(changes(enrollments=(f"ea,active,{T2},c2,s1,a,student,,,",)))
    assert oak.current("enrollments", "user_id", "section_id") == [("a", "c2"), ("b", "c1"), ("t", "c1")]


def test_the_newest_time_decides_whatever_the_order(oak: Oak) -> None:
    name = "a,active,{},true,ana,,Ana,{},,,,,,,9,secret-word,,,,,,"
    first = oak.upload(changes(users=(name.format(T2, "Second"), name.format(T1, "First"))))
    later = oak.upload(changes(users=(name.format(T1, "Old"),)))

    assert oak.current("users", "user_id", "last_name")[0] == ("a", "Second")
    assert told(first) == [("warning", "stale_row", "users.csv", 3)]
    assert told(later) == [("warning", "stale_row", "users.csv", 2)]


def test_a_row_of_changes_without_status_or_time_is_refused(oak: Oak) -> None:
    rows = (f"a,,{T1},true,ana,,Ana,Not,,,,,,,9,secret-word,,,,,,", "b,active,,true,ben,,Ben,Not,,,,,,,9,secret-word,,,,,,")
    document = oak.upload(changes(users=rows))

    assert (document["status"], told(document)) == (
        "published",
        [("reject", "missing_required", "users.csv", 2), ("reject", "missing_required", "users.csv", 3)],
    )
    assert oak.current("users", "last_name") == [("Haddad",), ("Null",), ("Sato",)]


def test_a_refused_change_waits_and_does_not_stand_for_its_record(oak: Oak) -> None:
    late = f"ez,active,{T1},c9,s1,a,student,,,"
    broken = oak.upload(changes(users=(f"a,active,{T1},maybe,ana,,Ana,Broken,,,,,,,9,secret-word,,,,,,",), enrollments=(late,)))
    assert told(broken, "reject") == [
        ("reject", "bad_value", "users.csv", 2),
        ("reject", "unknown_reference", "enrollments.csv", 2),
    ]
    assert ("a", "Sato") in oak.current("users", "user_id", "last_name")

    oak.upload(changes(classes=(f"c9,active,{T1},Math 9,,m,,scheduled,,s1,y,,,",), enrollments=()))
    assert ("a", "c9") in oak.current("enrollments", "user_id", "section_id")
    assert ("a", "Sato") in oak.current("users", "user_id", "last_name")


def test_another_person_under_a_known_id_never_becomes_the_record_and_does_not_come_back(oak: Oak) -> None:
    stranger = "a,{},{},true,zed,,Zed,Zorn,,,zed@example.org,,,,9,secret-word,,,,,,"
    in_bulk = oak.upload(whole(users=(stranger.format("", ""), *ROWS["users"])))
    rename = f"a,active,{T1},true,ana,,Ana,Sato-Hill,,,,,,,9,secret-word,,,,,,"
    in_changes = oak.upload(changes(users=(stranger.format("active", T3), rename)))
    named = [oak.current("users", "user_id", "first_name", "last_name")[0]]
    oak.upload(changes(users=(f"b,active,{T2},true,ben,,Ben,Nul,,,,,,,9,secret-word,,,,,,",)))

    assert ("reject", "duplicate_key", "users.csv", 2) in told(in_bulk, "reject")
    assert ("reject", "duplicate_key", "users.csv", 2) in told(in_changes, "reject")
    assert oak.current("enrollments", "user_id") == [("a",), ("b",), ("t",)]  # what refers to the id is ambiguous, and stays
    assert [*named, oak.current("users", "user_id", "first_name", "last_name")[0]] == [("a", "Ana", "Sato-Hill")] * 2


def test_a_change_that_moves_an_enrollment_closes_it_as_changed(oak: Oak) -> None:
    document = oak.upload(changes(enrollments=(f"ea,active,{T1},c2,s1,a,student,,,",)))

    assert oak.closed("enrollments", "user_id", document["import_id"]) == [("a", "changed")]
    assert ("a", "c2", "ea") in oak.current("enrollments", "user_id", "section_id", "enrollment_id")


def test_many_removals_by_changes_hold_nothing(oak: Oak) -> None:
    document = oak.upload(changes(orgs=(f"s1,tobedeleted,{T1},,,,",)))

    assert document["status"] == "published"
    assert oak.current("enrollments", "user_id") == []
    assert oak.current("organizations", "organization_id") == [("d",)]


def _next_year(*, term_of_class: str) -> dict[str, str]:
    """Return changes in which the school year y goes, the school year z comes, and one of two classes is sent, in a term."""
    return changes(
        academicSessions=(f"y,tobedeleted,{T1},,,,,,", f"z,active,{T1},2027-2028,schoolYear,2027-08-15,2028-06-12,,2028"),
        courses=(f"m,active,{T1},z,Math,MA,,s1,,",),
        classes=(f"c1,active,{T1},Math 1,,m,,scheduled,,s1,{term_of_class},,,",),
    )


def test_a_class_goes_with_its_only_term_and_stays_where_changes_move_it_to_another(oak: Oak) -> None:
    """The row of before, which still names the term, is neither refused nor told of."""
    document = oak.upload(_next_year(term_of_class="z"))

    assert (document["status"], told(document)) == ("published", [])
    assert oak.current("sections", "section_id", "term_id") == [("c1", "z")]
    assert oak.closed("sections", "section_id", document["import_id"]) == [("c1", "changed"), ("c2", "cascade")]
    assert oak.current("enrollments", "user_id", "section_id") == [("a", "c1"), ("b", "c1"), ("t", "c1")]


def test_a_class_keeps_the_terms_that_are_left(new: Oak) -> None:
    terms = (
        *ROWS["academicSessions"],
        "w,,,Winter,term,2026-12-01,2027-02-12,y,2027",
        "v,,,Spring,term,2027-02-13,2027-06-12,y,2027",
    )
    classes = ('c1,,,Math 1,,m,,scheduled,,s1,"y,w",,,', 'c2,,,Math 2,,m,,scheduled,,s1,"w,v",,,')
    new.upload(whole(academicSessions=terms, classes=classes))
    document = new.upload(changes(academicSessions=(f"w,tobedeleted,{T1},,,,,,",)))

    assert (document["status"], told(document)) == ("published", [])
    assert new.current("sections", "section_id") == [("c1",), ("c2",)]
    assert new.closed("sections", "section_id", document["import_id"]) == [("c1", "changed"), ("c2", "changed")]


@pytest.mark.parametrize(("other", "follows"), [("v", {"classes.csv", "enrollments.csv"}), ("u", set())])
def test_of_a_class_that_goes_with_its_last_term_is_told_only_where_the_row_of_another_is_refused(
    new: Oak, other: str, follows: set[str]
) -> None:
    """The class names a term that never was, too."""
    terms = (*ROWS["academicSessions"], "w,,,Winter,term,2026-12-01,2027-02-12,y,2027")
    new.upload(whole(academicSessions=terms, classes=('c1,,,Math 1,,m,,scheduled,,s1,"w,v,q",,,', ROWS["classes"][1])))
    spring = f"{other},active,{T1},Spring,no type,2027-02-13,2027-06-12,y,2027"
    document = new.upload(changes(academicSessions=(f"w,tobedeleted,{T1},,,,,,", spring)))

    assert {finding[2] for finding in told(document, "reject")} == {"academicSessions.csv", *follows}
    assert new.closed("sections", "section_id", document["import_id"]) == [("c1", "cascade")]


def test_a_class_of_changes_whose_only_term_is_removed_is_refused(oak: Oak) -> None:
    document = oak.upload(_next_year(term_of_class="y"))

    assert told(document, "reject") == [("reject", "deleted_reference", "classes.csv", 2)]


def test_changes_that_come_first_are_the_roster(new: Oak) -> None:
    rows = {name: tuple(row.replace(",,,", f",active,{T1},", 1) for row in lines) for name, lines in ROWS.items()}
    document = new.upload(changes(**rows))

    assert (document["status"], told(document)) == ("published", [])
    assert len(new.current("enrollments", "user_id")) == 3


def test_whole_files_after_changes_are_the_roster(oak: Oak) -> None:
    oak.upload(changes(users=(f"a,active,{T3},true,ana,,Ana,Rivera,,,,,,,9,secret-word,,,,,,",)))
    document = oak.upload(whole())

    assert (document["status"], told(document)) == ("published", [])
    assert oak.current("users", "last_name") == [("Haddad",), ("Null",), ("Sato",)]


def test_a_parent_who_is_purged_is_found_nowhere_and_the_other_one_stays(oak: Oak) -> None:
    family = (
        "pp-first-parent,,,true,zzpat,,Zzpat,Zzquill,,,zzquill@example.org,,,,,secret-word,,,,,,",
        "pp-other-parent,,,true,rel,,Rel,Sato,,,,,,,,secret-word,,,,,,",
        'a,,,true,ana,,Ana,Sato,,,,,,"pp-first-parent,pp-other-parent",9,secret-word,,,,,,',
        *ROWS["users"][1:],
    )
    roles = (*ROWS["roles"], "r1,,,pp-first-parent,primary,parent,,,s1,", "r2,,,pp-other-parent,primary,parent,,,s1,")
    oak.upload(whole(users=family, roles=roles))
    assert len(oak.current("contacts", "contact_id")) == 2

    workspace = Workspace.open(oak.folder / "home")
    purge(workspace, PurgeTarget(district_id=WHO[0], person=("user", "pp-first-parent")), by="tester")
    workspace.warehouse.close()
    left = [path for path in (oak.folder / "home").rglob("*") if path.is_file() and path.suffix != ".lock"]

    assert oak.current("contacts", "contact_id") == [("pp-other-parent",)]
    assert [
        (path, word) for path in left for word in (b"Zzquill", b"zzquill", b"pp-first-parent") if word in path.read_bytes()
    ] == []
    assert oak.upload(changes(users=(f"b,active,{T1},true,ben,,Ben,Known,,,,,,,9,secret-word,,,,,,",)))["status"] == "published"
    assert oak.current("contacts", "contact_id") == [("pp-other-parent",)]


def test_no_password_rests_anywhere(oak: Oak) -> None:
    oak.upload(changes(users=(f"a,active,{T1},true,ana,,Ana,Rivera,,,,,,,9,secret-word,,,,,,",)))

    assert [path for path in (oak.folder / "home").rglob("*") if path.is_file() and b"secret-word" in stored_bytes(path)] == []

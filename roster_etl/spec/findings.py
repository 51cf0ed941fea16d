"""Findings: validation results about an upload, and the catalogue of their codes.

Belongs here: the fields of one finding, and the meaning of every code. A code that is not listed here cannot be used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, overload

Severity = Literal["reject", "warning", "info", "file", "upload"]
FindingScope = Literal["row", "file", "upload"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # no database accepts NUL, and a terminal would execute some of the others
_MAX_MASK_LENGTH = 61  # characters of a mask: longer keys get equal masks


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One finding, or several of one kind merged into one with a ``count``.

    ``row``: record number, the header is row 1; None: the whole file. ``file``: None: the whole upload.
    ``cause``: (file, row) of the finding that led to this one; row None: the whole file. ``message`` never holds a cell value,
    except the ID of a school; ``key`` is masked. Names come from uploads, so control characters are removed from all text.
    """

    severity: Severity
    code: str
    message: str
    file: str | None = None
    row: int | None = None
    field: str | None = None
    key: str | None = None
    cause: tuple[str, int | None] | None = None
    count: int = 1

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"finding code {self.code!r} is not in the catalogue")
        for name in ("message", "file", "field", "key"):
            object.__setattr__(self, name, strip_control_chars(getattr(self, name)))
        if self.cause:
            object.__setattr__(self, "cause", (strip_control_chars(self.cause[0]), self.cause[1]))


@dataclass(frozen=True, kw_only=True)
class FindingCode:
    """The meaning of a code (one sentence), and what a district should do about it."""

    code: str
    scope: FindingScope
    meaning: str
    advice: str


@overload
def strip_control_chars(text: str) -> str: ...
@overload
def strip_control_chars(text: None) -> None: ...
def strip_control_chars(text: str | None) -> str | None:
    """Return `text` without control characters."""
    return _CONTROL.sub("", text) if text else text


def mask(value: str) -> str:
    """Return `value` with only its edges visible: enough to recognise an ID, too little to disclose it."""
    value = strip_control_chars(value)
    if len(value) < 6:
        return "•" * len(value)
    return f"{value[:1]}{'•' * min(len(value) - 3, _MAX_MASK_LENGTH - 3)}{value[-2:]}"


_ROW = (
    (
        "missing_required",
        "A cell that the format requires is empty, or one of several that are needed together.",
        "Fill the cell in the source system and export again.",
    ),
    (
        "bad_value",
        "A value is none of those that the format allows.",
        "Use one of the options of the format's document, or add a code replacement to the district's settings.",
    ),
    (
        "bad_date",
        "A date does not exist, is not in the format's form, or contradicts another date of the row.",
        "Export dates in the form that the document names.",
    ),
    ("invalid_email", "A value is not an e-mail address.", "Correct the address, or leave the cell empty."),
    (
        "bad_phone",
        "A phone number does not have an allowed number of digits.",
        "Give the number with as many digits as the message names, or leave the cell empty.",
    ),
    ("bad_status", "A status is none of those that the format allows.", "Use one of the statuses of the document."),
    (
        "duplicate_key",
        "Another row has the same key and describes another record, or adds nothing of its own; the message names the accepted row.",
        "Make the id unique, or remove one of the rows.",
    ),
    (
        "duplicate_row",
        "A row repeats an earlier one exactly and was dropped.",
        "Nothing needs to be done; the export may join a table that multiplies rows.",
    ),
    (
        "conflicting_rows",
        "Rows of one record disagree in a column that should be the same; one of them counts, most often the first.",
        "Make the rows of the record agree.",
    ),
    ("too_long", "A value is longer than the format or the importer allows.", "Shorten the value."),
    (
        "unknown_reference",
        "A value refers to a record that the upload (or the roster) does not have.",
        "Export the record that is referred to, or correct the id.",
    ),
    (
        "missing_record",
        "Many rows name one record that the upload (or the roster) does not have.",
        "Export that record; the rows that name it then apply.",
    ),
    ("unknown_role", "A role is not known.", "Use a role of the document, or define a custom role."),
    (
        "role_mismatch",
        "Two rows give one person different roles; each counts as given.",
        "Correct the role in one of the rows, unless both are meant.",
    ),
    ("login_taken", "The login belongs to another user already.", "Give each user a login of their own."),
    ("integration_id_taken", "The integration id belongs to another record already.", "Make integration ids unique."),
    ("id_taken", "The value belongs to another record already and must be unique.", "Make the value unique in the district."),
    ("id_mismatch", "Two ids of the row name different records.", "Correct one of the ids."),
    ("already_exists", "The new id belongs to a record already.", "Choose an id that is free."),
    (
        "has_active_children",
        "The record cannot be deleted while others belong to it.",
        "Delete or move what belongs to it first.",
    ),
    ("loop", "The record would become its own ancestor.", "Correct the parent."),
    ("self_reference", "The record refers to itself.", "Correct the reference."),
    ("not_linked", "The two records are not linked, so the link cannot be removed.", "Check the ids."),
    ("not_enrolled", "The user is not enrolled where the row needs it.", "Enroll the user first."),
    ("two_contexts", "The row names two contexts where one is allowed.", "Leave one of them empty."),
    ("move_blocked", "The record cannot be moved there.", "See the message for the reason."),
    (
        "moved_to_root",
        "The parent is blank, so a record that had one was moved to the root.",
        "Fill the parent if the record should stay where it was.",
    ),
    ("name_taken", "The name belongs to another record of the same kind.", "Choose another name."),
    ("deleted_parent", "The parent of the record is deleted.", "Restore the parent, or choose another."),
    ("deleted_reference", "The record that is referred to is deleted.", "Restore it, or correct the id."),
    ("unrelated_section", "The section does not belong to the course that the row names.", "Correct the section or the course."),
    ("repeated_header", "A row repeats the header line.", "Remove it; files may have been joined."),
    (
        "not_a_record",
        "A line is no record: a ruler of dashes, a total, or a count of rows.",
        "Turn off rulers, totals and row counts in the export.",
    ),
    (
        "no_enrollments",
        "A section has no accepted student enrollment and was not loaded.",
        "Nothing needs to be done, unless the section should have students.",
    ),
    (
        "unnamed_row",
        "A row does not identify its record; it was not applied, and stays in quarantine.",
        "Add the id to the row, or to the district's settings; see the message.",
    ),
    ("trimmed", "White space around values was removed.", "Nothing needs to be done."),
    (
        "replaced",
        "Values were replaced as the district's settings say, before validation; one finding a column, with their number.",
        "Nothing needs to be done; a district that exports the format's own codes needs no replacements.",
    ),
    ("released", "A row kept in quarantine from an earlier import now fits and was applied.", "Nothing needs to be done."),
    (
        "bad_id",
        "An id has a character that the format does not allow, or is too long.",
        "Use only the digits, letters and signs that the document names.",
    ),
    (
        "list_mismatch",
        "A list is not written as the format specifies, or two lists that belong together have different lengths.",
        "Write lists as the document specifies: items separated by commas, in one quoted cell.",
    ),
    (
        "type_mismatch",
        "A reference names a record of another type than the document asks for; it was kept.",
        "Correct the reference, or the type of the record that it names.",
    ),
    (
        "not_a_student",
        "Values that only students have are given for somebody who is no student; they were not kept.",
        "Nothing needs to be done, unless the person should have the role of a student.",
    ),
    (
        "stale_row",
        "A row of changes is older than what is known of its record, and was not applied.",
        "Nothing needs to be done; send the record again if it should be so.",
    ),
    (
        "missing_role",
        "A user has no role, or none at the organization that is named as the main one.",
        "Add the role in the source system.",
    ),
    (
        "several_primary",
        "Several records are marked as the main one in overlapping periods; all were kept as given.",
        "Mark one of them.",
    ),
    (
        "unmapped_agent",
        "Somebody is listed as the contact of a student whose role is not that of a parent, guardian or relative; no contact came of it.",
        "Nothing needs to be done, unless the person's role is wrong.",
    ),
    (
        "outside_term",
        "The dates of a record lie outside the terms of its class; they were kept as given.",
        "Correct the dates, or the terms of the class.",
    ),
    (
        "wrong_case",
        "A name or a code is written in another case than the format has; it was read all the same.",
        "Write it exactly as the document does.",
    ),
    (
        "ignored_value",
        "Cells have values where the format has none; the values were ignored.",
        "Leave the cells empty, or the columns out.",
    ),
)
_FILE = (
    ("missing_file", "A file that the format requires is not in the upload.", "Upload all required files."),
    ("unexpected_file", "A file is not one of the format's.", "Remove it from the upload."),
    ("unrecognised_headers", "The headers fit no file of the format.", "Check the header row."),
    ("ambiguous_headers", "The headers fit more than one kind of file.", "Check the header row."),
    ("missing_column", "A required column is missing.", "Export again with the column named as in the format."),
    ("duplicate_column", "A column occurs twice in the header.", "Export each column once."),
    (
        "unreadable_column",
        "Too many cells of a column cannot be read. The column was set aside: known values stay, and new records have none.",
        "Export the column in the form that the format names; the next upload then fills it again.",
    ),
    (
        "column_order",
        "The columns are not in the order that the format fixes.",
        "Restore the order of the document, or allow another one in the district's settings.",
    ),
    (
        "malformed_csv",
        "The quoting is broken, so that cells cannot be separated with certainty.",
        "Double every quote inside a quoted value, and export again.",
    ),
    (
        "invalid_encoding",
        "Bytes are not valid in the file's encoding.",
        "Export as UTF-8, or declare the encoding in the district's settings.",
    ),
    ("empty_file", "The file is empty, or has a header only.", "Check the export; nothing is removed because of an empty file."),
    (
        "unsafe_archive",
        "The archive is too large when unpacked, or holds links or paths that leave it.",
        "Upload the CSV files themselves, or a plain flat zip.",
    ),
    ("unknown_file_type", "The file is neither a CSV file nor an archive that the format takes.", "Remove it from the upload."),
    (
        "unexpected_column",
        "A column is not one of the format's and was not read.",
        "Nothing needs to be done; check the spelling if it should be read.",
    ),
    ("ambiguous_file", "Two files claim to be the same file of the format.", "Keep one of them."),
    ("not_a_regular_file", "An entry is a link, a device or a folder.", "Upload regular files only."),
    ("ragged_row", "A row has more or fewer cells than the header.", "Quote values that contain commas, and export again."),
    ("control_character", "A cell holds a control character.", "Remove it in the source system."),
    (
        "column_alias",
        "A column or file has a known alternative of a name of the format; it was read.",
        "Export it under the name that the document has.",
    ),
    (
        "missing_manifest",
        "The upload has no manifest, which states what the other files contain.",
        "Upload the manifest with the files, or name the version in the district's settings.",
    ),
    (
        "unknown_version",
        "The version that the manifest names is not one that is read.",
        "Export one of the versions that the message names.",
    ),
    (
        "file_mode_mismatch",
        "The files and the manifest, or the versions of two files, contradict each other.",
        "Correct the export; the message states how the file was read.",
    ),
    (
        "file_not_loaded",
        "The file belongs to the format, and is not loaded.",
        "Nothing needs to be done.",
    ),
)
_UPLOAD = (
    (
        "no_terms",
        "No term was found for a clean-up by term; nothing was removed.",
        "Add a term to the rows, or choose another mode.",
    ),
    (
        "diff_threshold_exceeded",
        "The file differs from the last one by more rows than allowed; it was read whole.",
        "Check the file, or raise the threshold.",
    ),
    ("diff_not_possible", "There is no earlier file to compare with; the file was read whole.", "Nothing needs to be done."),
    ("change_threshold_exceeded", "More would change than the threshold allows.", "Check the upload; approve or discard it."),
    (
        "many_additions",
        "A table, or a school's part of it, would grow by more than the share that the settings name.",
        "Check that the new records are expected, such as a new school or a new year; nothing was stopped.",
    ),
    (
        "another_district",
        "Almost no person of the upload is in the district's roster, and almost all people of that roster are missing.",
        "Check whose files these are; approve the plan only if they are this district's.",
    ),
    (
        "another_person",
        "Another person comes under a known id: nothing identifies the known one any more, or two have swapped their ids.",
        "If the id was given to somebody else, nothing needs to be done; if rows or ids were mixed up, correct and upload again.",
    ),
    (
        "another_section",
        "A section is now what another one was: their ids, or all their students, seem to have been exchanged.",
        "If the sections were reorganized so, nothing needs to be done; if rows or ids were mixed up, correct and upload again.",
    ),
    (
        "renumbered",
        "Many of the people who would be removed come back under other ids: same names and dates of birth, or e-mail addresses.",
        "Ask the district whether its ids were changed on purpose; approving opens new records and closes the old ones.",
    ),
    (
        "similar_id",
        "New ids differ from other ids only by leading zeros, by case or by characters that are invisible or full-width; they count as different records.",
        "Check whether a spreadsheet, or another export, changed the ids; correct them before the upload is published.",
    ),
    (
        "possible_rename",
        "Somebody vanishes, and somebody else appears who seems to be the same person under another id, in the same school.",
        "If it is: approve the rename, and the person's history goes on in one line. If not, nothing needs to be done.",
    ),
    ("quality_gate_failed", "A quality gate failed.", "See the checks of the import."),
    (
        "undo",
        "Somebody asked for the state before an earlier import; nothing is undone before a person has seen the plan.",
        "Look at the plan; approve it to bring that state back, or discard it.",
    ),
    (
        "empty_upload",
        "The folder or zip has no file at all; nothing was changed.",
        "Check the export, or the folder that it was written to.",
    ),
    (
        "wrong_format",
        "The upload looks like another format, or not like this one at all.",
        "Check the district's format, and what was uploaded.",
    ),
    ("incomplete_upload", "The upload is not complete.", "Upload all files."),
    (
        "upload_too_large",
        "The upload has more files, or larger ones, than the limits of this installation allow.",
        "Remove what does not belong to the upload; if all of it does, the operator raises the limit that the finding names.",
    ),
    ("upload_moved", "A file changed while it was read.", "Nothing needs to be done; it will be read again when it has settled."),
    ("not_settled", "The upload is still being written.", "Nothing needs to be done; it will be read when it has settled."),
    (
        "lasting_file",
        "A file that goes on without being sent again is not in the upload; the newest one was read again.",
        "Nothing needs to be done; upload the file again when it has changed.",
    ),
    (
        "expected_change",
        "The district's calendar says that another amount of change is expected now; its thresholds are in force.",
        "Nothing needs to be done.",
    ),
    (
        "receipt_failed",
        "The receipt of the import could not be signed; the import itself is not affected.",
        "Nothing, for a district; whoever runs the system looks at the key (`roster-etl doctor`).",
    ),
    ("archived_upload", "The upload of an earlier import was run again, from the archive.", "Nothing needs to be done."),
    (
        "older_upload",
        "The upload is older than the one that is published; it was run again for going back to it.",
        "Look at the plan, then approve or discard it.",
    ),
    (
        "parked",
        "The imports of this upload failed repeatedly, for no reason that could be determined; it is dead-lettered: no longer retried automatically.",
        "Ask whoever runs roster_etl to read the log of the last run. A new upload is imported as usual.",
    ),
    (
        "stale_file",
        "A file has not changed since the upload before, while others have; it was imported as it is.",
        "Export all files together.",
    ),
)

_CATALOGUE: tuple[tuple[FindingScope, tuple[tuple[str, str, str], ...]], ...] = (
    ("row", _ROW),
    ("file", _FILE),
    ("upload", _UPLOAD),
)
CODES: dict[str, FindingCode] = {
    code: FindingCode(code=code, scope=about, meaning=meaning, advice=advice)
    for about, rows in _CATALOGUE
    for code, meaning, advice in rows
}

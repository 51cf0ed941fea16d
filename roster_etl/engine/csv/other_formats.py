"""Recognize a header line of another kind of file, for messages: other separators, and files of OneRoster.

Belongs here: what the first line says about the file's origin. Nothing is read differently because of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from roster_etl.frames.mapped_bytes import Content

_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_MAX_LINE = 1 << 16  # bytes of the first line that are looked at
_ONEROSTER_ID = "sourcedid"
_ONEROSTER_ONLY = frozenset({"orgs.csv", "academicsessions.csv", "manifest.csv"})
_ONEROSTER_FILES = frozenset(
    [
        "academicsessions.csv",
        "categories.csv",
        "classes.csv",
        "classresources.csv",
        "courseresources.csv",
        "courses.csv",
        "demographics.csv",
        "enrollments.csv",
        "lineitems.csv",
        "manifest.csv",
        "orgs.csv",
        "resources.csv",
        "results.csv",
        "roles.csv",
        "userprofiles.csv",
        "users.csv",
    ]
)


def other_separator(line: str) -> str | None:
    """Return the separator of a header line that does not have commas, in words for a message; None: none is certain."""
    counts = {words: line.count(sign) for sign, words in _SEPARATORS.items()}
    words = max(counts, key=lambda name: counts[name])
    return words if counts[words] > line.count(",") else None


def separator_text(line: str) -> str:
    """Return a sentence about a line's other separator, with a blank in front; empty if it has none."""
    found = other_separator(line)
    return f" Its columns are separated by {found}, and the format separates them by commas: export with commas." if found else ""


def first_line(content: Content, start: int) -> str:
    """Return the first line of a file from `start` on, undecodable bytes replaced."""
    lines = content[start : start + _MAX_LINE].splitlines()
    return lines[0].decode("utf-8", "replace") if lines else ""


def is_oneroster_header(header: Sequence[str], own: Collection[str]) -> bool:
    """Return whether a header is that of a OneRoster file, all of which have ``sourcedId``; not for files with that column of their `own`."""
    return _has_id(header) and not _has_id(own)


def _has_id(names: Collection[str]) -> bool:
    return any(name.casefold() == _ONEROSTER_ID for name in names)


def oneroster_text(title: str = "") -> str:
    """Return a sentence about a OneRoster file, with a blank in front. ``title``: the format that is expected."""
    expected = f" of {title}" if title else ""
    return f" It is a file of OneRoster (it has the column sourcedId), which this feed does not read: export the files{expected}."


def oneroster_files(names: Collection[str], own: Collection[str]) -> frozenset[str]:
    """Return those of an upload's files that are named like OneRoster's, where others of them have names that only OneRoster has.

    Args: names: of the upload's files; own: file names of the feed's format.
    """
    plain = {name: name.rpartition("/")[2].casefold() for name in names}
    if _ONEROSTER_ONLY.isdisjoint(plain.values()) or {one.casefold() for one in own} & _ONEROSTER_ONLY:
        return frozenset()
    return frozenset(name for name, short in plain.items() if short in _ONEROSTER_FILES)

"""A format: a vendor's files, the file sets in which they arrive, and the options that a district may set for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from roster_etl.spec.errors import PermanentError
from roster_etl.spec.files import File, HeaderPattern

Mode = Literal["snapshot", "changes", "events"]
TIMING_OPTIONS = ("quiet_period", "min_interval", "straggler_wait")
"""The options that control when an upload is imported; they do not affect how its bytes are interpreted."""
_SET_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


class FormatError(ValueError):
    """A specification contradicts itself."""


class UnknownFileSet(PermanentError):
    """The format has no file set of this name."""

    code = "unknown_file_set"
    template = "format {format} has no set of files named {name!r}; its sets: {known}"


@dataclass(frozen=True, kw_only=True)
class Option:
    """A setting of a feed or of one import. Values are stored as text; ``kind`` selects the parser.

    - ``choices``: the allowed values of a choice, or of the values of a mapping; for kind ``format``, the names of the other
      formats, filled in where the formats are known
    - ``optional``: an empty text means "not set"
    - ``minimum``: the smallest allowed percentage or number
    - ``max_bytes``: the largest allowed size of a text, in bytes of UTF-8
    """

    name: str = field(kw_only=False)
    default: str
    kind: Literal[
        "switch", "choice", "whole", "percent", "duration", "text", "json", "mapping", "table", "zone", "encoding", "format"
    ]
    meaning: str
    choices: tuple[str, ...] = ()
    optional: bool = False
    max_bytes: int | None = None
    minimum: int = 0


@dataclass(frozen=True, kw_only=True)
class Excludes:
    """At most one of ``options`` may be set: switched on, or given a value."""

    options: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Needs:
    """Where ``option`` is set, ``required`` must be set too."""

    option: str
    required: str


OptionRule = Excludes | Needs


@dataclass(frozen=True, kw_only=True)
class UnsupportedFile:
    """A kind of file that the vendor defines and this format does not import: it is recognised, reported and skipped."""

    name: str = field(kw_only=False)
    title: str
    recognised_by: HeaderPattern


@dataclass(frozen=True, kw_only=True)
class UnreadFile:
    """A file of the document that this format does not load: it is recognized by its name, counted, and not read."""

    name: str = field(kw_only=False)
    title: str
    versions: tuple[str, ...]
    misspelled_names: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """How it is called in an upload."""
        return f"{self.name}.csv"


@dataclass(frozen=True, kw_only=True)
class ManifestProperty:
    """A property of the manifest with the values that it may have; ``slips``: other spellings that occur, each with the value that it means."""

    name: str
    values: tuple[str, ...]
    slips: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A file that says which version of the format an upload has, and of each other file whether it is whole, changes, or absent.

    - ``file``: the format's name for the manifest file; ``name_column``, ``value_column``: its columns
    - ``own_version``, ``version``: the properties with the manifest's version, and with the format's
    - ``file_prefix``: the property of a file is this and the file's name
    - ``whole``, ``changes``, ``absent``: the words for what a file is
    - ``optional``: further properties
    - ``version_option``: the option that names the version of an upload without a manifest; ``auto``: such an upload is rejected
    - ``too_old``: headers, by file, that only a version has that is not read
    """

    file: str
    name_column: str
    value_column: str
    own_version: ManifestProperty
    version: ManifestProperty
    file_prefix: str
    whole: str
    changes: str
    absent: str
    optional: tuple[str, ...]
    version_option: str
    too_old: Mapping[str, tuple[str, ...]]

    @property
    def words(self) -> tuple[str, str, str]:
        """The words for what a file is."""
        return (self.absent, self.whole, self.changes)


@dataclass(frozen=True, kw_only=True)
class FileSet:
    """Files of a format that arrive together, separately from the others; an upload belongs to one set.

    ``timing``: arrival options that the set has for itself, with their defaults: ``{"quiet_period": "60s"}`` in a set named
    ``attendance`` makes the option ``attendance_quiet_period``. ``urgent``: its runs are queued before those of other sets.
    """

    name: str
    files: tuple[str, ...]
    mode: Mode
    timing: Mapping[str, str] = field(default_factory=dict)
    urgent: bool = False

    def __post_init__(self) -> None:
        if not self.files:
            raise FormatError(f"set {self.name}: files must not be empty")
        if unknown := sorted(set(self.timing) - set(TIMING_OPTIONS)):
            raise FormatError(
                f"set {self.name}: {', '.join(unknown)} is not a timing option; these are {', '.join(TIMING_OPTIONS)}"
            )

    def option(self, name: str) -> str:
        """Return the name of the option that sets the arrival option `name` for this set."""
        return f"{self.name}_{name}" if name in self.timing else name


@dataclass(frozen=True, kw_only=True)
class Format:
    """One vendor format.

    - ``mode``: ``snapshot``: an upload is the whole district; ``changes``: rows add, change and delete, files load in the order
      of ``files``, and a rejected file does not affect the others; ``events``: rows are appended
    - ``extra_files``: how an unknown file is treated: ``warn`` or ``ignore``
    - ``identify_by``: how a file's kind is recognised; by headers, an upload may have several files of a kind
    - ``unsupported``: kinds that are recognised by their headers and not read
    - ``lone_zip``: a folder whose only CSV or zip file is one zip stands for the contents of that zip
    - ``broken_records``: whether a record with undecodable bytes or a misplaced quote is rejected alone, where that is safe, or
      with its ``file``
    - ``column_order_option``: the switch option that accepts any order of columns although the format fixes it
    - ``sets``: the file sets, the one with the main roster first; empty: all files arrive together
    - ``other_files``: files of the format that are not part of these uploads, because they belong to another set
    - ``manifest``: see `Manifest`; the files of such a format are ``carried_forward``, and uploads are imported in the order of arrival
    - ``versions``: version → the files that are different in it; ``files`` are those of the newest version. ``absent_in``: version → the
      files that it does not have; ``absent``: those that this version does not have
    - ``unread``: files of the document that are not loaded
    - ``strict_option``: the option (choice) whose value ``strict`` rejects common deviations from the document
    """

    name: str
    title: str
    document: str
    version: str
    mode: Mode
    files: tuple[File, ...]
    options: tuple[Option, ...] = ()
    option_rules: tuple[OptionRule, ...] = ()
    extra_files: Literal["warn", "ignore"] = "warn"
    fixed_column_order: bool = False
    sets: tuple[FileSet, ...] = ()
    other_files: tuple[File, ...] = ()
    identify_by: Literal["name", "headers"] = "name"
    unsupported: tuple[UnsupportedFile, ...] = ()
    lone_zip: bool = False
    broken_records: Literal["alone", "file"] = "alone"
    column_order_option: str | None = None
    manifest: Manifest | None = None
    versions: Mapping[str, tuple[File, ...]] = field(default_factory=dict)
    absent_in: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    unread: tuple[UnreadFile, ...] = ()
    strict_option: str | None = None

    def __post_init__(self) -> None:
        by_name = {file.name: file for file in (*self.files, *self.other_files)}
        if len(by_name) != len(self.files) + len(self.other_files):
            raise FormatError(f"{self.name}: two files have the same name")
        self._check_sets(by_name)
        if self.column_order_option and self.column_order_option not in {option.name for option in self.options}:
            raise FormatError(f"{self.name}: has no option {self.column_order_option}")
        for position, file in enumerate(self.files):
            before = {earlier.name for earlier in (*self.other_files, *self.files[:position])}
            for other, columns in file.lookups():
                if other not in before:
                    raise FormatError(f"{self.name}/{file.name}: refers to {other}, which is not listed before it")
                targets = {there for r in file.references() if r.file == other for _, there in r.disambiguated_by}
                unknown = sorted({*columns, *targets} - {c.name for c in by_name[other].columns})
                if unknown and file.name not in self.absent:
                    raise FormatError(f"{self.name}/{file.name}: {other} has no column {', '.join(unknown)}")
            self._check_matches(file)

    def _check_sets(self, by_name: Mapping[str, File]) -> None:
        if not self.sets:
            return
        named = [name for found in self.sets for name in found.files]
        if sorted(named) != sorted(by_name):
            raise FormatError(f"{self.name}: every file must belong to exactly one set")
        names = [found.name for found in self.sets]
        if len(set(names)) != len(names) or not all(_SET_NAME.fullmatch(name) for name in names):
            raise FormatError(f"{self.name}: names of sets must be unique, of a-z, 0-9 and _, and begin with a letter")

    @property
    def requires_ordered_imports(self) -> bool:
        """Whether every upload counts, in the order of arrival: none may be skipped because a newer one has come."""
        return self.mode == "changes" or self.manifest is not None

    def for_version(self, version: str) -> Format:
        """Return the format with the files of `version`; the newest one's if `version` has none of its own."""
        others = {file.name: file for file in self.versions.get(version, ())}
        if not others:
            return self
        files = tuple(others.get(file.name, file) for file in self.files)
        return replace(self, files=files, absent=self.absent_in.get(version, ()))

    @cached_property
    def file_sets(self) -> tuple[FileSet, ...]:
        """The file sets; a single unnamed one if the format declares none."""
        return self.sets or (FileSet(name="", files=tuple(file.name for file in self.files) or ("",), mode=self.mode),)

    def file_set(self, name: str) -> FileSet:
        """Return the file set `name`. Raises UnknownFileSet."""
        for found in self.file_sets:
            if found.name == name:
                return found
        raise UnknownFileSet(format=self.name, name=name, known=", ".join(found.name for found in self.sets) or "none")

    def for_file_set(self, name: str) -> Format:
        """Return the format reduced to the files of the set `name`. Raises UnknownFileSet."""
        chosen = self.file_set(name)
        if not self.sets:
            return self
        everything = (*self.files, *self.other_files)
        return replace(
            self,
            mode=chosen.mode,
            files=tuple(file for file in everything if file.name in chosen.files),
            other_files=tuple(file for file in everything if file.name not in chosen.files),
        )

    def required_sets(self, name: str) -> tuple[str, ...]:
        """Return the names of the sets that files of the set `name` refer to."""
        files = self.for_file_set(name).files
        wanted = {other for file in files for other, _ in file.lookups()}
        return tuple(s.name for s in self.file_sets if s.name != name and wanted & set(s.files))

    def file_set_of(self, file_name: str) -> str:
        """Return the name of the set that an uploaded file belongs to, by its name; unknown files belong to the first set."""
        if not self.sets:
            return self.file_sets[0].name
        wanted = file_name.rpartition("/")[2].casefold()
        kind = next((file.name for file in (*self.files, *self.other_files) if file.file_name.casefold() == wanted), None)
        return next((found.name for found in self.file_sets if kind in found.files), self.file_sets[0].name)

    def _check_matches(self, file: File) -> None:
        known = {option.name for option in self.options if option.kind == "format"}
        for column in file.columns:
            if column.matches and column.matches.option not in known:
                raise FormatError(
                    f"{self.name}/{file.name}: {column.name} needs an option {column.matches.option} of kind format"
                )

        self._check_identification()

    def _check_identification(self) -> None:
        by_headers = self.identify_by == "headers"
        for file in self.files:
            if (file.recognised_by is not None) != by_headers:
                raise FormatError(
                    f"{self.name}/{file.name}: recognised_by must be set if files are identified by headers, and not otherwise"
                )
            if file.ordered_changes != (self.mode == "changes"):
                raise FormatError(f"{self.name}/{file.name}: ordered_changes must be set in a delta format, and in no other")
            if file.required and self.mode == "changes":
                raise FormatError(f"{self.name}/{file.name}: no file may be required in a delta format")
        if self.unsupported and not by_headers:
            raise FormatError(f"{self.name}: unsupported needs identify_by headers")

    def file(self, name: str) -> File:
        """Return the file ``name``, of any set. Raises KeyError."""
        for file in (*self.files, *self.other_files):
            if file.name == name:
                return file
        raise KeyError(f"{self.name} has no file {name}")

"""A format: a vendor's files, taken together, and the options that a district may set for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from roster_etl.spec.files import File, Signature

Mode = Literal["snapshot", "changes", "events"]


class FormatError(ValueError):
    """A specification contradicts itself."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """A setting of a district's feed, or of one import. Values travel as text; ``kind`` says how they are read.

    ``choices``: what a choice may be, or the values of a mapping. ``optional``: an empty text means that it is not set.
    ``longest``: bytes that a text may have as UTF-8.
    """

    name: str
    default: str
    kind: Literal["switch", "choice", "whole", "percent", "duration", "text", "json", "mapping", "table", "zone", "encoding"]
    meaning: str
    choices: tuple[str, ...] = ()
    optional: bool = False
    longest: int | None = None


@dataclass(frozen=True, kw_only=True)
class Excludes:
    """At most one of ``options`` may be set: switched on, or given a value."""

    options: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Needs:
    """Where ``option`` is set, ``needs`` must be, too."""

    option: str
    needs: str


OptionRule = Excludes | Needs


@dataclass(frozen=True, kw_only=True)
class Unsupported:
    """A kind of file that the vendor knows and this format does not take: it is recognised, reported, and left alone."""

    name: str
    title: str
    recognised_by: Signature


@dataclass(frozen=True, kw_only=True)
class Format:
    """One vendor format.

    ``mode``: ``snapshot`` – an upload is the whole district; ``changes`` – rows add, change and delete, files load in the
    order of ``files``, and a refused file leaves the others alone; ``events`` – rows are appended. ``extra_files``: what an
    unknown file is: ``warn`` or ``ignore``. ``identify_by``: what tells which file is which; by headers, an upload may have
    several of a kind. ``unsupported``: kinds that are known by their headers and not read. ``lone_zip``: a folder whose only
    CSV or zip is one zip means that zip. ``broken_records``: whether a record with bytes of no encoding, or a misplaced
    quote, is refused alone where that is safe, or with its ``file``. ``column_order_option``: the switch option that lets columns
    stand in any order although the format fixes it.
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
    identify_by: Literal["name", "headers"] = "name"
    unsupported: tuple[Unsupported, ...] = ()
    lone_zip: bool = False
    broken_records: Literal["alone", "file"] = "alone"
    column_order_option: str | None = None

    def __post_init__(self) -> None:
        by_name = {file.name: file for file in self.files}
        if len(by_name) != len(self.files):
            raise FormatError(f"{self.name}: two files have the same name")
        if self.column_order_option and self.column_order_option not in {option.name for option in self.options}:
            raise FormatError(f"{self.name}: has no option {self.column_order_option}")
        for position, file in enumerate(self.files):
            before = {earlier.name for earlier in self.files[:position]}
            for reference in file.references():
                if reference.file not in before:
                    raise FormatError(f"{self.name}/{file.name}: refers to {reference.file}, which is not listed before it")
                if reference.column not in {c.name for c in by_name[reference.file].columns}:
                    raise FormatError(f"{self.name}/{file.name}: {reference.file} has no column {reference.column}")
            self._check_matches(file)

    def _check_matches(self, file: File) -> None:
        known = {option.name for option in self.options if option.kind == "text"}
        for column in file.columns:
            if column.matches and column.matches.option not in known:
                raise FormatError(f"{self.name}/{file.name}: {column.name} needs a text option {column.matches.option}")

        self._check_ways()

    def _check_ways(self) -> None:
        by_headers = self.identify_by == "headers"
        for file in self.files:
            if (file.recognised_by is not None) != by_headers:
                raise FormatError(f"{self.name}/{file.name}: recognised_by is for formats whose files are told by their headers")
            if file.in_order != (self.mode == "changes"):
                raise FormatError(f"{self.name}/{file.name}: rows apply in order in a format of changes, and there alone")
            if file.required and self.mode == "changes":
                raise FormatError(f"{self.name}/{file.name}: no file is required in a format of changes")
        if self.unsupported and not by_headers:
            raise FormatError(f"{self.name}: kinds that are not supported are told by their headers")

    def file(self, name: str) -> File:
        """Return the file ``name``. Raises KeyError."""
        for file in self.files:
            if file.name == name:
                return file
        raise KeyError(f"{self.name} has no file {name}")

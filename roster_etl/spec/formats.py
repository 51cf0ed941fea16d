"""A format: a vendor's files, taken together, and the options that a district may set for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from roster_etl.spec.files import File

Mode = Literal["snapshot", "changes", "events"]


class FormatError(ValueError):
    """A specification contradicts itself."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """A setting of a district's feed, or of one import. Values travel as text; ``kind`` says how they are read."""

    name: str
    default: str
    kind: Literal["switch", "choice", "whole", "percent", "duration", "text", "json", "zone", "encoding"]
    meaning: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Format:
    """One vendor format.

    ``mode``: ``snapshot`` – an upload is the whole district; ``changes`` – rows add, change and delete;
    ``events`` – rows are appended. ``extra_files``: what an unknown file is: ``warn`` or ``ignore``.
    """

    name: str
    title: str
    document: str
    version: str
    mode: Mode
    files: tuple[File, ...]
    options: tuple[Option, ...] = ()
    extra_files: Literal["warn", "ignore"] = "warn"
    fixed_column_order: bool = False

    def __post_init__(self) -> None:
        by_name = {file.name: file for file in self.files}
        if len(by_name) != len(self.files):
            raise FormatError(f"{self.name}: two files have the same name")
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

    def file(self, name: str) -> File:
        """Return the file ``name``. Raises KeyError."""
        for file in self.files:
            if file.name == name:
                return file
        raise KeyError(f"{self.name} has no file {name}")

"""The upload of one import: its files, the settings in force, and the early end, if any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from roster_etl.spec import File, Format
from roster_etl.spec.options import resolve_options
from roster_etl.vendors import Vendor, vendor

EarlyStatus = Literal["unchanged", "rejected", "failed"]


@dataclass(frozen=True, kw_only=True)
class Member:
    """One file of an upload. ``kind``: the spec's name for it, None if the format has no such file.

    ``key``: its key in the archive; None: the bytes were not archived (unknown file, or secrets that could not be located).
    ``sha256`` and ``size`` are those of the bytes as uploaded; ``sha256`` is empty for a file that was not read. ``refused``: the code for which it was rejected before parsing.
    ``lasts_from``: for a reference file that the upload lacks, the import that it is carried forward from. ``changes``: in a file
    that continues an earlier one, how many records at its start came with the upload; None: the file came whole.
    """

    name: str
    kind: str | None
    sha256: str
    size: int
    key: str | None = None
    refused: str | None = None
    lasts_from: int | None = None
    changes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Upload:
    """An import that has begun.

    - ``options``: the text of every option in force; ``ended``: its status if receiving ended it
    - ``settings``: digest of options, gates, replacements and the code that validates and maps
    - ``headers``: by file the columns that published uploads of the feed have had so far
    - ``replacements``: the replace rules in force, column → value as uploaded → value to read instead
    - ``approved_plan``: the hash of the plan that ``approved_by`` approved; ``leave_out``: removals that are left out of it;
      ``renames``: the approved renames (``all``, the number of a proposal, or ``OLD=NEW`` in older manifests)
    - ``file_set``: the format's file set of the upload (``spec.FileSet``); vendor, format and files are limited to that set
    - ``first_import``: the import that received these bytes, if this one is a rerun; it defines which of two imports is older
    - ``decided``: for a replayed import, the original decision on its plan
    - ``format_version``: the version of the format that the upload's manifest names; "" in formats without versions
    - ``package``: ``name`` and ``sha256`` of the zip that the files were in, if they were in one
    - ``refused_before``: by file [rows read, rows refused] of the last published upload that had it
    """

    import_id: int
    district_id: str
    source: str
    upload_id: str
    run_id: str | None
    received_at: str
    options: Mapping[str, str]
    settings: str
    content: str
    members: tuple[Member, ...]
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    replacements: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ended: EarlyStatus | None = None
    approved_plan: str | None = None
    approved_by: str | None = None
    leave_out: tuple[str, ...] = ()
    renames: tuple[str, ...] = ()
    file_set: str = ""
    first_import: int | None = None
    decided: str | None = None
    format_version: str = ""
    package: Mapping[str, str] | None = None
    refused_before: Mapping[str, Sequence[int]] = field(default_factory=dict)

    @property
    def largest(self) -> int:
        """The bytes of the largest file, as uploaded; 0: there is none."""
        return max((member.size for member in self.members), default=0)

    @property
    def origin_import(self) -> int:
        """The import that received these bytes: this one, unless it is a rerun."""
        return self.first_import or self.import_id

    @property
    def vendor(self) -> Vendor:
        """The vendor, limited to the file set."""
        return _vendor_of(self.source, self.file_set, self.format_version)

    @property
    def format(self) -> Format:
        """The format of the upload."""
        return self.vendor.format

    @property
    def values(self) -> dict[str, object]:
        """The options in force, as values."""
        return resolve_options(self.format, self.options)

    @property
    def received_on(self) -> date:
        """The day on which the upload arrived, in the district's time zone."""
        return datetime.fromisoformat(self.received_at).astimezone(ZoneInfo(str(self.values["time_zone"]))).date()

    @property
    def strict(self) -> bool:
        """Whether what practice gets wrong is refused."""
        option = self.format.strict_option
        return option is not None and self.values[option] == "strict"

    @property
    def has_changes(self) -> bool:
        """Whether rows of the upload are changes of what earlier ones said, so that it counts even if nothing follows from it."""
        return self.format.mode == "changes" or any(m.changes is not None and m.lasts_from is None for m in self.members)

    @property
    def fixed_column_order(self) -> bool:
        """Whether files are rejected if their columns are in another order than the published ones."""
        option = self.format.column_order_option
        return self.format.fixed_column_order and not (option and self.values[option] is True)

    def member(self, kind: str) -> Member | None:
        """Return the file of the given `kind`, if the upload has it."""
        return next((member for member in self.members if member.kind == kind), None)

    def members_of(self, kind: str) -> tuple[Member, ...]:
        """Return the files of the given `kind`, in the order of their paths, which is the order in which they load."""
        return tuple(member for member in self.members if member.kind == kind)

    def file_name(self, file: File) -> str:
        """Return the name of `file` as uploaded, or as the format expects it."""
        member = self.member(file.name)
        return member.name if member else file.file_name

    def kind_of(self, name: str) -> str | None:
        """Return the kind of the file `name` of this upload or an earlier one; None: the format has no such file."""
        found = (file.name for file in self.format.files if file.file_name.casefold() == name.rpartition("/")[2].casefold())
        return next(found, None)

    def to_dict(self) -> dict[str, Any]:
        """Return the upload as JSON types."""
        return {**vars(self), "members": [dict(vars(member)) for member in self.members]}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Upload:
        """Return the upload from the output of `to_dict`."""
        members = tuple(Member(**member) for member in document["members"])
        words = {name: tuple(document.get(name, ())) for name in ("leave_out", "renames")}
        return cls(**{**document, "members": members, **words})


@cache
def _vendor_of(source: str, file_set: str, version: str) -> Vendor:
    found = vendor(source).for_file_set(file_set)
    return replace(found, format=found.format.for_version(version)) if version else found


def unclassified_members(members: Iterable[Member]) -> tuple[Member, ...]:
    """Return the files that were rejected before their kind was known."""
    return tuple(member for member in members if member.refused and member.kind is None)

"""Vendors: one folder for each format, discovered automatically."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from roster_etl.canonical.roster import TABLES
from roster_etl.mapping.change_plan import ChangePlan
from roster_etl.mapping.column_plan import Mapping
from roster_etl.spec import Format
from roster_etl.spec.errors import PermanentError
from roster_etl.spec.similar_names import suggestion


class UnknownVendor(PermanentError):
    """No vendor has this name."""

    code = "unknown_format"
    template = "format {name!r} is not known{hint}"


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """One vendor: the rules of its document, and the mappings of its files to canonical tables.

    ``mappings`` are column plans of ``mapping.column_plan``. A delta format has a ``change_plan`` instead, which declares how
    its rows change the current state. ``package`` is the folder's module, with its codes, sample and README.
    """

    format: Format
    package: str
    mappings: tuple[Mapping, ...] = ()
    change_plan: ChangePlan | None = None

    def __post_init__(self) -> None:
        if (self.change_plan is not None) != (self.format.mode == "changes") or (self.change_plan and self.mappings):
            raise ValueError(
                f"{self.format.name}: a delta format needs a change_plan and no mappings; any other format has no change_plan"
            )
        self._check_sets()

    def _check_sets(self) -> None:
        """Reject mappings by which two sets would write one table: each set publishes on top of what it published itself."""
        for file_set in self.format.sets:
            tables = {mapping.to for mapping in self.mappings if mapping.source in file_set.files}
            foreign = sorted(tables & {mapping.to for mapping in self.mappings if mapping.source not in file_set.files})
            if foreign:
                raise ValueError(
                    f"{self.format.name}: {', '.join(foreign)} would be filled by {file_set.name} and by another set"
                )
            if any(TABLES[table].holds_events != (file_set.mode == "events") for table in tables):
                raise ValueError(f"{self.format.name}: a set with the mode events must fill tables of events, and only these")
            read = {name for m in self.mappings if m.source in file_set.files for name in m.files()} - set(file_set.files)
            if read:
                raise ValueError(f"{self.format.name}: mappings of {file_set.name} read {', '.join(sorted(read))} of another set")

    def for_file_set(self, name: str) -> Vendor:
        """Return the vendor reduced to uploads of one file set. Raises UnknownFileSet."""
        format_ = self.format.for_file_set(name)
        if format_ is self.format:
            return self
        own = {file.name for file in format_.files}
        return replace(self, format=format_, mappings=tuple(mapping for mapping in self.mappings if mapping.source in own))

    def file_set_for_table(self, table: str) -> str:
        """Return the name of the file set that fills canonical `table`; the first set if none does."""
        sources = {mapping.source for mapping in self.mappings if mapping.to == table}
        sets = self.format.file_sets
        return next((found.name for found in sets if sources & set(found.files)), sets[0].name)

    def folder(self) -> Path:
        """Return the folder of this vendor."""
        return Path(str(import_module(self.package).__file__)).parent


def discover_vendors() -> dict[str, Vendor]:
    """Return all vendors by the name of their format, sorted by name.

    Raises: ValueError: a folder has no ``VENDOR``, or one whose format has another name than the folder.
    """
    return dict(_vendors())


def vendor(name: str) -> Vendor:
    """Return the vendor of format `name`.

    Raises: UnknownVendor: lists the known ones.
    """
    known = discover_vendors()
    if name not in known:
        raise UnknownVendor(name=name, hint=suggestion(name, known, "known formats"))
    return known[name]


@cache
def _vendors() -> tuple[tuple[str, Vendor], ...]:
    found = tuple(_find_vendors())
    names = tuple(vendor.format.name for vendor in found)
    return tuple((vendor.format.name, _with_format_choices(vendor, names)) for vendor in found)


def _with_format_choices(found: Vendor, names: tuple[str, ...]) -> Vendor:
    """Return the vendor with the names of the other formats as choices of its options of kind ``format``."""
    others = tuple(name for name in names if name != found.format.name)
    options = tuple(replace(o, choices=others) if o.kind == "format" else o for o in found.format.options)
    return replace(found, format=replace(found.format, options=options))


def _find_vendors() -> Iterator[Vendor]:
    for module in sorted(iter_modules(__path__), key=lambda m: m.name):
        if not module.ispkg or module.name.startswith("_"):
            continue
        package = f"{__name__}.{module.name}"
        found = getattr(import_module(package), "VENDOR", None)
        if not isinstance(found, Vendor) or found.format.name != module.name:
            raise ValueError(f"{package}: needs a VENDOR whose format is named {module.name!r}")
        yield found

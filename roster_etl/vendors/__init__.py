"""Vendors: one folder of facts a format, found by being there.

Belongs here: what a vendor is made of, and finding the vendors. Does not belong here: a list of names, or any verb.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from roster_etl.mapping.fold import FoldPlan
from roster_etl.mapping.plan import Mapping
from roster_etl.spec import Format
from roster_etl.spec.errors import PermanentError


class UnknownVendor(PermanentError):
    """No vendor has this name."""

    code = "unknown_format"
    template = "format {name!r} is not known; known formats: {known}"


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """One vendor: what its document promises, and how its files become canonical tables.

    ``mappings`` are column plans of ``mapping.plan``; for a format of changes, ``fold`` says instead what its rows do to what is
    there. ``package`` is the folder's module, for its codes, sample and README.
    """

    format: Format
    package: str
    mappings: tuple[Mapping, ...] = ()
    fold: FoldPlan | None = None

    def __post_init__(self) -> None:
        if (self.fold is not None) != (self.format.mode == "changes") or (self.fold and self.mappings):
            raise ValueError(f"{self.format.name}: a format of changes is folded, and no other; a folded one has no mappings")

    def folder(self) -> Path:
        """Return the folder that holds this vendor's facts."""
        return Path(str(import_module(self.package).__file__)).parent


def discover() -> dict[str, Vendor]:
    """Return every vendor by its format's name, in the order of the names.

    Raises: ValueError: a folder holds no ``VENDOR``, or one whose format has another name than the folder.
    """
    return dict(_vendors())


def vendor(name: str) -> Vendor:
    """Return the vendor of format `name`.

    Raises: UnknownVendor: lists the known ones.
    """
    known = discover()
    if name not in known:
        raise UnknownVendor(name=name, known=", ".join(known))
    return known[name]


@cache
def _vendors() -> tuple[tuple[str, Vendor], ...]:
    return tuple((found.format.name, found) for found in _found())


def _found() -> Iterator[Vendor]:
    for module in sorted(iter_modules(__path__), key=lambda m: m.name):
        if not module.ispkg or module.name.startswith("_"):
            continue
        package = f"{__name__}.{module.name}"
        found = getattr(import_module(package), "VENDOR", None)
        if not isinstance(found, Vendor) or found.format.name != module.name:
            raise ValueError(f"{package}: needs a VENDOR whose format is named {module.name!r}")
        yield found

"""The formats in which a roster can be exported: those of vendors' folders, and those that are only exported."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

from roster_etl.exports import formats
from roster_etl.exports.plan import ExportFormat
from roster_etl.spec.similar_names import suggestion
from roster_etl.vendors import UnknownVendor, discover_vendors


@cache
def export_formats() -> dict[str, ExportFormat]:
    """Return all export formats by name, sorted."""
    modules = [f"{vendor.package}.export" for vendor in discover_vendors().values()]
    names = [name for name in modules if find_spec(name)]
    names += [f"{formats.__name__}.{module.name}" for module in iter_modules(formats.__path__)]
    found = [import_module(name).EXPORT for name in names]
    return {export.name: export for export in sorted(found, key=lambda export: export.name)}


def export_format(name: str) -> ExportFormat:
    """Return the export format `name`. Raises UnknownVendor, whose code is ``unknown_format``."""
    known = export_formats()
    if name not in known:
        raise UnknownVendor(name=name, hint=suggestion(name, known, "known formats"))
    return known[name]

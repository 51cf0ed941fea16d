"""Feeds and destinations as Dagster components: declared in YAML of a team's own Dagster project, and written to the registry by a run.

Belongs here: the two components. What a key means and takes is that of ``districts/<id>.toml``, and is checked by the same code.
Loading definitions writes nothing: the asset of a component writes what it declares when it is materialized.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from typing import Annotated, Any

import dagster as dg

from roster_etl.exports.scope import check_left_out
from roster_etl.orchestration.runtime.current_home import current_home
from roster_etl.pipeline.exports.order import export_options
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.options import resolve_options
from roster_etl.spec.replacements import check_replacements
from roster_etl.store.registry import district as registered
from roster_etl.store.registry.district import District
from roster_etl.store.registry.registry import Registry
from roster_etl.store.registry.toml_file import check_district
from roster_etl.store.warehouse import AuditEntry
from roster_etl.vendors import vendor
from roster_etl.vendors.export_formats import export_format

_GROUP = "registry"


def _as_written(context: dg.ResolutionContext, value: Any) -> Any:
    """Return a value as YAML has it, with templates such as ``{{ env.PATH }}`` filled in. Dagster's own resolver makes a number of "1001"."""
    if isinstance(value, Mapping):
        return {key: _as_written(context, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_written(context, inner) for inner in value]
    return str(context.resolve_value(value)) if isinstance(value, str) and "{{" in value else value


def _resolver(kind: Any) -> dg.Resolver:
    return dg.Resolver(_as_written, model_field_type=kind, inject_before_resolve=False)


_Text = Annotated[str, _resolver(str)]
_OptionalText = Annotated[str | None, _resolver(str | None)]
_Texts = Annotated[list[str] | None, _resolver(list[str] | None)]
_Options = Annotated[dict[str, str] | None, _resolver(dict[str, str] | None)]
_Replacements = Annotated[dict[str, dict[str, str]] | None, _resolver(dict[str, dict[str, str]] | None)]


class _Declaration(dg.Component, dg.Model, dg.Resolvable):
    """A part of a district's file. ``district``: the id of the district, which is registered if it is not yet."""

    district: _Text

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return an asset that writes the declaration to the registry, and a check that the registry has it.

        Raises: RegistryError, UnknownVendor, UnknownOption, BadOption and others: what the command line would refuse.
        """
        check_district(self._merged(District(id=self.district)))
        self._check()
        key, declaration = self._key(), self

        @dg.asset(
            key=key,
            group_name=_GROUP,
            description=f"{self._about()} Materializing it writes this to the registry; what is not declared stays as it is there.",
            code_version=self._version(),
            automation_condition=dg.AutomationCondition.missing() | dg.AutomationCondition.code_version_changed(),
        )
        def declared() -> dg.MaterializeResult[None]:
            return dg.MaterializeResult(metadata={"changed": declaration.apply()})

        @dg.asset_check(asset=key, name="registered", description="The registry has what is declared.")
        def is_registered() -> dg.AssetCheckResult:
            return dg.AssetCheckResult(passed=declaration.is_applied())

        return dg.Definitions(assets=[declared], asset_checks=[is_registered])

    def apply(self) -> bool:
        """Write the declaration to the registry of the home, with an entry in the audit. Returns whether that changed anything."""
        with closing(Workspace.open_to_write(current_home())) as workspace:
            if self._is_in(workspace.registry):
                return False
            with workspace.warehouse.audited(self._entry(workspace.registry)):
                if not workspace.registry.exists(self.district):
                    workspace.registry.add(District(id=self.district))
                self._write(workspace.registry, self._merged(workspace.registry.get(self.district)))
            return True

    def is_applied(self) -> bool:
        """Return whether the registry of the home has the declaration. Raises RegistryError."""
        with closing(Workspace.open(current_home())) as workspace:
            return self._is_in(workspace.registry)

    def _is_in(self, registry: Registry) -> bool:
        if not registry.exists(self.district):
            return False
        known = registry.get(self.district)
        return self._merged(known) == known

    def _declared(self, *without: str) -> dict[str, Any]:
        """Return the declared values; lists as the registry has them."""
        values = self.model_dump(exclude={"district", *without}, exclude_none=True)
        return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}

    def _version(self) -> str:
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()[:16]

    def _merged(self, known: District) -> District:
        """Return a district with the declaration."""
        raise NotImplementedError

    def _check(self) -> None:
        """Check what depends on the format."""
        raise NotImplementedError

    def _entry(self, registry: Registry) -> AuditEntry:
        """Return the entry of the audit for writing the declaration."""
        raise NotImplementedError

    def _write(self, registry: Registry, wanted: District) -> None:
        """Write the part of `wanted` that is declared; the registry changes nothing else."""
        raise NotImplementedError

    def _key(self) -> dg.AssetKey:
        raise NotImplementedError

    def _about(self) -> str:
        raise NotImplementedError


class Feed(_Declaration):
    """A feed of a district, with the keys of ``feed`` in its file; ``name`` and ``time_zone`` are the district's.

    Secrets by reference only: a file, or the name of an environment variable of the daemon that imports.
    """

    format: _Text
    name: _OptionalText = None
    time_zone: _OptionalText = None
    path: _OptionalText = None
    known_hosts: _OptionalText = None
    key_file: _OptionalText = None
    password_file: _OptionalText = None
    password_env: _OptionalText = None
    contacts: _Texts = None
    options: _Options = None
    replacements: _Replacements = None
    expected_by: _OptionalText = None
    expected_days: _Texts = None
    expected_hours: int | None = None

    def _merged(self, known: District) -> District:
        feed = next((one for one in known.feeds if one.format == self.format), registered.Feed(format=self.format))
        wanted = replace(feed, **self._declared("format", "name", "time_zone"))
        others = [one for one in known.feeds if one.format != self.format]
        at = known.feeds.index(feed) if feed in known.feeds else len(others)
        return replace(known, feeds=(*others[:at], wanted, *others[at:]), **self._of_district())

    def _of_district(self) -> dict[str, Any]:
        return {name: value for name in ("name", "time_zone") if (value := getattr(self, name)) is not None}

    def _check(self) -> None:
        format_ = vendor(self.format).format
        resolve_options(format_, self.options or {})
        check_replacements(format_, self.replacements or {})

    def _entry(self, registry: Registry) -> AuditEntry:
        known = registry.exists(self.district)
        return AuditEntry(
            action="district_change" if known else "district_add", district_id=self.district, about={"format": self.format}
        )

    def _write(self, registry: Registry, wanted: District) -> None:
        feed = next(one for one in wanted.feeds if one.format == self.format)
        registry.add_feed(self.district, feed, update=True, **self._of_district())

    def _key(self) -> dg.AssetKey:
        return dg.AssetKey(["feed", self.district, self.format])

    def _about(self) -> str:
        return f"The feed of {self.district} in the format {self.format}."


class Destination(_Declaration):
    """A destination of a district, with the keys of ``destination`` in its file: where its roster is sent, in which format, and when."""

    name: _Text
    format: _Text
    to: _Text
    source: _OptionalText = None
    options: _Options = None
    schools: _Texts = None
    leave_out: _Texts = None
    enrolled_only: bool | None = None
    formulas: _OptionalText = None
    strict: bool | None = None
    when: _OptionalText = None
    shrink_pct: int | None = None
    shrink_min: int | None = None
    known_hosts: _OptionalText = None
    key_file: _OptionalText = None
    password_file: _OptionalText = None
    password_env: _OptionalText = None

    def _merged(self, known: District) -> District:
        declared = self._declared()
        before = next((one for one in known.destinations if one.name == self.name), None)
        wanted = replace(before, **declared) if before else registered.Destination(**declared)
        others = [one for one in known.destinations if one.name != self.name]
        at = known.destinations.index(before) if before else len(others)
        return replace(known, destinations=(*others[:at], wanted, *others[at:]))

    def _check(self) -> None:
        found = export_format(self.format)
        export_options(found, self.options or {})
        check_left_out(tuple(self.leave_out or ()), found)

    def _entry(self, registry: Registry) -> AuditEntry:
        known = registry.exists(self.district) and self.name in {one.name for one in registry.get(self.district).destinations}
        about = {"name": self.name, "format": self.format}
        return AuditEntry(action="destination_change" if known else "destination_add", district_id=self.district, about=about)

    def _write(self, registry: Registry, wanted: District) -> None:
        registry.add_destination(self.district, wanted.destination(self.name), update=True)

    def _key(self) -> dg.AssetKey:
        return dg.AssetKey(["destination", self.district, self.name])

    def _about(self) -> str:
        return f"The destination {self.name} of {self.district}, in the format {self.format}."

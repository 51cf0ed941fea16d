"""What an export is asked for, and the checks of its words before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from roster_etl.exports.plan import ExportFormat
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import PermanentError, RegistryError, UnknownDistrict
from roster_etl.spec.options import BadOption, parse_option
from roster_etl.store.registry.district import District
from roster_etl.store.warehouse import Readers
from roster_etl.vendors.export_formats import export_format, export_formats


class SeveralFeeds(PermanentError):
    """The district has published several feeds, and the call names none."""

    code = "several_feeds"
    template = "district {district_id} has published {sources}; say which with --source"


class NothingPublished(PermanentError):
    """There is no roster to export."""

    code = "nothing_published"
    template = "district {district_id}: nothing was published{of}{when}; `roster-etl imports --district {district_id}` shows what was imported"


class NoDelta(PermanentError):
    """The format cannot say changes."""

    code = "no_delta"
    template = "format {format} has no deltas; leave out --since, or use {known}"


class PurgedSince(PermanentError):
    """What was removed for good since then cannot be said, so that a receiver would keep it for ever."""

    code = "no_delta"
    template = "import {purge} removed data for good (`purge`), which was sent up to import {since}: a delta cannot say what. Send the whole roster, without --since"


class UnknownExportImport(PermanentError):
    """An import that is named is not one of the feed's that has ended."""

    code = "unknown_import"
    template = "import {import_id} is no {what} of district {district_id}, format {source}; `roster-etl imports --district {district_id}` lists them"


class BadAsOf(PermanentError):
    """The moment cannot be read."""

    code = "bad_option"
    template = "--as-of: expected a moment such as 2026-09-01, 2026-09-01T08:00:00Z, or import:7"


class FutureAsOf(PermanentError):
    """The moment has not come: what the roster will be then is not known, and an export must not claim it."""

    code = "bad_option"
    template = "--as-of: {moment:%Y-%m-%dT%H:%M:%SZ} has not come yet; leave it out for the present roster"


@dataclass(frozen=True, kw_only=True)
class ExportOrder:
    """One export, in the words of the caller. ``as_of``: a time, ``import:N``, or empty for now; ``destination``: the outgoing feed."""

    district_id: str
    format: str
    to: str
    requested_by: str
    source: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    as_of: str = ""
    since: int | None = None
    schools: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    enrolled_only: bool = False
    formulas: str = "guard"
    strict: bool = False
    replace: bool = False
    destination: str | None = None


@dataclass(frozen=True, kw_only=True)
class ResolvedExport:
    """An order whose words are right.

    ``moment``: up to when the roster is read, None: the present one; ``known_at``: when the newest import in it was published.
    ``since_at``: when the import after which changes are said was published.
    """

    order: ExportOrder
    format: ExportFormat
    options: Mapping[str, Any]
    district_name: str
    zone: str
    source: str
    moment: datetime | None
    as_of: datetime
    as_of_import: int
    since_at: datetime | None

    def moment_to_read(self, session: Readers) -> datetime | None:
        """Return the moment up to which `session` is to read; None: what is current there.

        An import that was published after the order was resolved is not in the export, as its ledger row and its receipt say.
        """
        if self.moment is not None:
            return self.moment
        newest = session.ledger.newest_published(self.order.district_id, self.source, None)
        return None if newest is not None and newest["import_id"] == self.as_of_import else self.as_of

    def settings(self) -> dict[str, Any]:
        """Return what decided the content, for the ledger and the document: options, scope and the handling of formulas."""
        order = self.order
        scope: dict[str, Any] = {"schools": list(order.schools), "leave_out": list(order.leave_out)}
        given = {name: value for name, value in scope.items() if value}
        if order.enrolled_only:
            given["enrolled_only"] = True
        if order.formulas != "guard":
            given["formulas"] = order.formulas
        if order.strict:
            given["strict"] = True
        return {**self.options, **given}


def resolve_order(workspace: Workspace, order: ExportOrder) -> ResolvedExport:
    """Check the words of an order against the formats, the registry and the ledger.

    Raises: UnknownVendor, BadOption, NoDelta, PurgedSince, UnknownDistrict, SeveralFeeds, NothingPublished, UnknownExportImport, BadAsOf, FutureAsOf.
    """
    format_ = export_format(order.format)
    options = export_options(format_, order.options)
    if order.since is not None and format_.delta is None:
        raise NoDelta(format=format_.name, known=" or ".join(name for name, one in export_formats().items() if one.delta))
    district = _registered(workspace, order.district_id)
    with workspace.warehouse.read() as session:
        sources = session.ledger.published_sources(order.district_id)
        if district is None and not sources and not session.ledger.sources(order.district_id):
            raise UnknownDistrict(district_id=order.district_id)
        source = _source(order.district_id, order.source, sources)
        zone = _zone(district, source)
        given = _moment(session, order, source, zone)
        newest = session.ledger.newest_published(order.district_id, source, given)
        if newest is None:
            raise NothingPublished(district_id=order.district_id, of=f" in format {source}", when=" by then" if given else " yet")
        since_at = _since(session, order, source, newest)
    return ResolvedExport(
        order=order,
        format=format_.with_options(options),
        options=options,
        district_name=(district.name if district else "") or order.district_id,
        zone=zone,
        source=source,
        moment=given,
        as_of=given or newest["finished_at"],
        as_of_import=newest["import_id"],
        since_at=since_at,
    )


def export_options(format_: ExportFormat, given: Mapping[str, str]) -> dict[str, Any]:
    """Return the value of every option of a format. Raises BadOption: an unknown name, or a value that the option does not have."""
    known = {option.name: option for option in format_.options}
    for name in given:
        if name not in known:
            message = f"format {format_.name} has no option {name}; its options: {', '.join(known) or 'none'}"
            raise BadOption(message)
    return {name: parse_option(option, given.get(name, option.default)) for name, option in known.items()}


def published_source(workspace: Workspace, district_id: str, source: str | None) -> str:
    """Return the feed whose roster is exported: the one that is named, else the only one. Raises SeveralFeeds, NothingPublished."""
    with workspace.warehouse.read() as session:
        return _source(district_id, source, session.ledger.published_sources(district_id))


def _source(district_id: str, named: str | None, sources: list[str]) -> str:
    if named is not None:
        if named not in sources:
            raise NothingPublished(district_id=district_id, of=f" in format {named}", when=" yet")
        return named
    if not sources:
        raise NothingPublished(district_id=district_id, of="", when=" yet")
    if len(sources) > 1:
        raise SeveralFeeds(district_id=district_id, sources=", ".join(sources))
    return sources[0]


def _registered(workspace: Workspace, district_id: str) -> District | None:
    """Return the district; None: it was removed, or its file cannot be read, and its roster can be exported all the same."""
    try:
        return workspace.registry.get(district_id)
    except RegistryError:
        return None


def _zone(district: District | None, source: str) -> str:
    """Return the time zone of the feed: its option, else the district's."""
    if district is None:
        return "UTC"
    zones = [feed.options.get("time_zone", "") for feed in district.feeds if feed.format == source]
    return next(filter(None, zones), district.time_zone)


def _moment(session: Any, order: ExportOrder, source: str, zone: str) -> datetime | None:
    text = order.as_of.strip()
    if not text or text.casefold() == "now":
        return None
    if text.startswith("import:"):
        number = text.removeprefix("import:")
        ended: datetime = _ended_import(session, order, source, number, published=False)
        return ended
    try:
        found = datetime.fromisoformat(text)
        moment = (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadAsOf from None
    if moment > datetime.now(UTC):
        raise FutureAsOf(moment=moment)
    return moment


def _since(session: Any, order: ExportOrder, source: str, newest: Mapping[str, Any]) -> datetime | None:
    if order.since is None:
        return None
    at: datetime = _ended_import(session, order, source, str(order.since), published=True)
    if at > newest["finished_at"]:
        raise UnknownExportImport(import_id=order.since, what="earlier import", district_id=order.district_id, source=source)
    for row in session.ledger.purges_after(order.district_id, source, at):
        before = row["purge"].get("before")  # by age: only what had ended before that moment is gone
        if before is None or datetime.fromisoformat(before) > at:
            raise PurgedSince(purge=row["import_id"], since=order.since)
    return at


def _ended_import(session: Any, order: ExportOrder, source: str, number: str, *, published: bool) -> datetime:
    """Return when an import of the feed ended. Raises UnknownExportImport."""
    what = "published import" if published else "ended import"
    missing = UnknownExportImport(import_id=number[:20], what=what, district_id=order.district_id, source=source)
    if not (number.isascii() and number.isdigit()) or int(number) > 2**63 - 1:
        raise missing
    rows = session.ledger.imports_after(int(number) - 1, 1)
    row = rows[0] if rows and rows[0]["import_id"] == int(number) else None
    if row is None or (row["district_id"], row["source"]) != (order.district_id, source) or row["finished_at"] is None:
        raise missing
    if published and row["status"] != "published":
        raise missing
    ended: datetime = row["finished_at"]
    return ended

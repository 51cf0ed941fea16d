"""Districts, their feeds and calendars, as data classes. The file format is in ``toml_file``, the storage in ``registry``."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from zoneinfo import ZoneInfo

from roster_etl.spec.errors import BadDistrictId, RegistryError, UnknownFeed
from roster_etl.spec.similar_names import suggestion

DISTRICT_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
GateSeverity = Literal["error", "warning"]
MailWhen = Literal["always", "problems", "never"]
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A district's own gate setting: the expectation, what is changed, why and since when.

    ``mostly``: share of rows, 0 to 1. ``severity``: ``error`` blocks publishing, ``warning`` does not. At least one is given.
    """

    expectation: str
    reason: str
    date: datetime.date
    mostly: float | None = None
    severity: GateSeverity | None = None


@dataclass(frozen=True, kw_only=True)
class Feed:
    """One format of a district: its landing folder, options and schedule.

    ``path``: a folder (path or fsspec URL); empty: the district's folder under the landing base. Secrets by reference only: a
    file, or the name of an environment variable. ``replacements``: column → uploaded value → value to use instead.
    ``expected_by``: local time (``02:30``) by which an upload should be published, on each of ``expected_days`` (empty: every
    day); an import counts if it ended at most ``expected_hours`` before. Empty: no deadline.
    """

    format: str
    path: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    known_hosts: str = ""
    key_file: str = ""
    password_file: str = ""
    password_env: str = ""
    contacts: tuple[str, ...] = ()
    gates: tuple[Gate, ...] = ()
    replacements: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    expected_by: str = ""
    expected_days: tuple[str, ...] = ()
    expected_hours: int = 12


@dataclass(frozen=True, kw_only=True)
class Destination:
    """An outgoing feed: where the roster of a district is sent, in which format.

    ``to``: a folder or a zip (path or fsspec URL); an earlier export there is replaced. ``source``: the feed whose roster it is; empty: the
    only one. Secrets by reference only, as for a feed. ``when``: ``after_import``, or a cron line. A file with ``shrink_pct`` percent and
    ``shrink_min`` rows fewer than in the last export that was sent stops the sending.
    """

    name: str
    format: str
    to: str
    source: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    schools: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    enrolled_only: bool = False
    formulas: str = "guard"
    strict: bool = False
    when: str = "after_import"
    shrink_pct: int = 10
    shrink_min: int = 5
    known_hosts: str = ""
    key_file: str = ""
    password_file: str = ""
    password_env: str = ""


@dataclass(frozen=True, kw_only=True)
class Window:
    """A calendar period with different rules for a district, from ``first`` to ``last``, both days included.

    ``pause``: no imports; ``options``: thresholds in force during the period; ``feeds``: the formats concerned, empty: all. Days
    begin in the district's time zone.
    """

    first: datetime.date
    last: datetime.date
    reason: str
    pause: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    feeds: tuple[str, ...] = ()

    def applies_to(self, day: datetime.date, format_name: str) -> bool:
        """Return whether this period applies to the feed `format_name` on `day`."""
        return self.first <= day <= self.last and (not self.feeds or format_name in self.feeds)


@dataclass(frozen=True, kw_only=True)
class Reconcile:
    """How the feeds of a district are reconciled, by table. ``match``: its rules, replacing the defaults; ``ignore``: columns not compared."""

    match: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ignore: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class District:
    """A registered district. ``time_zone``: an IANA name. ``paused``: no imports. ``calendar``: planned periods.

    ``mail``: when its contacts, and those of the feed, get mail about an import.
    """

    id: str
    name: str = ""
    time_zone: str = "UTC"
    paused: bool = False
    contacts: tuple[str, ...] = ()
    mail: MailWhen = "problems"
    feeds: tuple[Feed, ...] = ()
    calendar: tuple[Window, ...] = ()
    destinations: tuple[Destination, ...] = ()
    reconcile: Reconcile = field(default_factory=Reconcile)

    def __post_init__(self) -> None:
        check_id(self.id)

    def windows(self, format_name: str, now: datetime.datetime) -> tuple[Window, ...]:
        """Return the calendar periods in force for the feed `format_name` at `now` (time-zone aware)."""
        day = now.astimezone(ZoneInfo(self.time_zone)).date()
        return tuple(window for window in self.calendar if window.applies_to(day, format_name))

    def pause_reason(self, format_name: str, now: datetime.datetime) -> str | None:
        """Return why the feed is paused at `now`; None: it is not."""
        if self.paused:
            return "until it is resumed"
        pause = next((window for window in self.windows(format_name, now) if window.pause), None)
        return f"{pause.reason}, until {pause.last} inclusive" if pause else None

    def feed(self, format_name: str) -> Feed:
        """Return the feed in a format. Raises UnknownFeed."""
        for feed in self.feeds:
            if feed.format == format_name:
                return feed
        known = ", ".join(feed.format for feed in self.feeds) or "none"
        raise UnknownFeed(district_id=self.id, format=format_name, known=known)

    def destination(self, name: str) -> Destination:
        """Return the destination `name`. Raises UnknownDestination."""
        for found in self.destinations:
            if found.name == name:
                return found
        hint = suggestion(name, (found.name for found in self.destinations), "it has")
        raise UnknownDestination(district_id=self.id, name=name, hint=hint)


class UnknownDestination(RegistryError):
    """The district has no destination of this name."""

    code = "unknown_destination"
    template = "district {district_id} has no destination {name!r}{hint}"


class DestinationExists(RegistryError):
    """The district has a destination of this name already."""

    code = "destination_exists"
    template = "district {district_id} has a destination {name} already; `--update` changes it"


def check_id(district_id: str) -> str:
    """Return `district_id` if it is safe as a partition key and a file name. Raises BadDistrictId."""
    if not DISTRICT_ID.fullmatch(district_id):
        raise BadDistrictId(district_id=district_id[:80])
    return district_id

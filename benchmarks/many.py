"""Measure a night of many districts: `make bench-many DISTRICTS=1000 UPLOADING=200`.

Belongs here: generating districts, ticking the real sensor until every upload has been requested, importing some with a real
daemon, and printing figures. Does not belong here: the measured code, and assertions: limits are printed beside the figures.
CPU seconds (user + system) are from ``/proc`` (Linux): unlike wall time, they are meaningful on a busy machine.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg

from roster_etl.demo_server.sftp_server import Account, SftpServer
from roster_etl.orchestration.definitions import JOBS
from roster_etl.orchestration.jobs.in_process_runs import MODULE, home_instance, run_import
from roster_etl.orchestration.runtime.current_home import use_home
from roster_etl.orchestration.sensors import landing_sensor, poll_decisions
from roster_etl.orchestration.sensors.steady_clock import SteadyClock
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_next_day, write_sample
from roster_etl.store.registry.registry import District, Feed
from roster_etl.vendors import vendor
from tests.ledgers import in_transaction

NIGHT = 1_800_000_000.0  # the clock of the ticks: it advances by STEP seconds per tick, however long the tick took
STEP = 30.0
LIST_FEED = poll_decisions._list_feed  # noqa: SLF001
SAMPLES = 10  # distinct uploads, shared by the districts
TICK_BAR, REQUEST_BAR, CURSOR_BAR = 10.0, 25, 10_000
HERTZ = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The cost and result of one tick: seconds, CPU seconds, bytes of the cursor, and the districts polled and requested."""

    wall: float
    cpu: float
    cursor: int
    looked_at: frozenset[str]
    asked: tuple[str, ...]


@dataclass(kw_only=True)
class Night:
    """A home with its districts, their landing zones, and the sensor with a simulated clock."""

    home: Path
    landing: Path
    samples: Sequence[Path]
    now: float = NIGHT
    cursor: str | None = None
    ticks: list[Cost] = field(default_factory=list)

    def upload(self, district: str, number: int) -> None:
        """Write a district's upload, replacing the previous one."""
        folder = self.landing / district
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.samples[number % len(self.samples)], folder, copy_function=shutil.copyfile)

    def tick(self, instance: dg.DagsterInstance, sensor: dg.SensorDefinition) -> Cost:
        """Evaluate the sensor once."""
        landing_sensor.time = SimpleNamespace(time=lambda: self.now)  # type: ignore[assignment,attr-defined]
        landing_sensor.SteadyClock = partial(SteadyClock, boot="bench", monotonic=lambda: self.now, wall=lambda: self.now)  # type: ignore[assignment,attr-defined]
        looked_at: set[str] = set()

        def listed(district: District, *rest: Any) -> Any:
            looked_at.add(district.id)
            return LIST_FEED(district, *rest)

        poll_decisions._list_feed = listed  # type: ignore[assignment]  # noqa: SLF001
        wall, cpu = time.perf_counter(), time.process_time()
        with use_home(self.home), dg.build_sensor_context(instance=instance, cursor=self.cursor) as context:
            result = sensor(context)
        cost = (time.perf_counter() - wall, time.process_time() - cpu)
        assert isinstance(result, dg.SensorResult)
        asked = tuple(str(request.partition_key) for request in result.run_requests or ())
        self.cursor = result.cursor
        concluded(Workspace.open(self.home), asked, self.now + 1)
        self.ticks.append(
            Cost(wall=cost[0], cpu=cost[1], cursor=len(result.cursor or ""), looked_at=frozenset(looked_at), asked=asked)
        )
        self.now += STEP
        return self.ticks[-1]

    def round(self, instance: dg.DagsterInstance, sensor: dg.SensorDefinition, ids: Sequence[str], most: int = 400) -> list[Cost]:
        """Tick until all of `ids` were polled, at most `most` times, and return those ticks."""
        first, left = len(self.ticks), set(ids)
        while left and len(self.ticks) - first < most:
            left -= self.tick(instance, sensor).looked_at
        return self.ticks[first:]

    def until(self, instance: dg.DagsterInstance, sensor: dg.SensorDefinition, wanted: int, most: int = 400) -> list[Cost]:
        """Tick until `wanted` uploads were requested, at most `most` times, and return those ticks."""
        first, asked = len(self.ticks), 0
        while asked < wanted and len(self.ticks) - first < most:
            asked += len(self.tick(instance, sensor).asked)
        return self.ticks[first:]


def names(count: int) -> list[str]:
    """Return the ids of `count` invented districts."""
    return [f"district-{number:05d}" for number in range(count)]


def made(work: Path, students: int) -> list[Path]:
    """Write the uploads that the districts share."""
    folders = [work / "samples" / str(number) for number in range(SAMPLES)]
    for number, folder in enumerate(folders):
        write_sample(vendor("clever"), folder, students=students, seed=number)
    return folders


def begin(work: Path, samples: Sequence[Path], **landing: Any) -> Night:
    """Return a home without districts. `landing`: further settings of landing zones."""
    home, zone = work / "home", work / "landing"
    home.mkdir(parents=True)
    zone.mkdir()
    lines = [f"{name} = {json.dumps(value)}" for name, value in {"base": str(zone), **landing}.items()]
    (home / "roster_etl.toml").write_text("[landing]\n" + "\n".join(lines) + "\n", "utf-8")
    return Night(home=home, landing=zone, samples=samples)


def concluded(workspace: Workspace, districts: Sequence[str], when: float) -> None:
    """Record each district's upload as imported in the ledger, which the sensor queries before it requests again."""
    from datetime import UTC, datetime

    from roster_etl.store.warehouse import ImportResult

    at = datetime.fromtimestamp(when, UTC)
    for district in districts:
        number = in_transaction(workspace.warehouse).open_import(
            kind="upload", district_id=district, source="clever", started_at=at
        )
        in_transaction(workspace.warehouse).conclude(
            ImportResult(import_id=number, status="unchanged", finished_at=at, summary={})
        )


def bench_sensor(work: Path, samples: Sequence[Path], districts: int, uploading: int, bad: int) -> dict[str, Any]:
    """Measure ticks with local landing zones: the first load, a night without uploads, and 02:00."""
    os.environ["BENCH_PASSWORD"] = "of no use elsewhere"  # noqa: S105 - loopback, for one measurement
    night = begin(work, samples)
    workspace = Workspace.open(night.home)
    ids = names(districts)
    for number, district in enumerate(ids):
        workspace.registry.add(District(id=district, feeds=(Feed(format="clever"),)))
        night.upload(district, number)
    sensor = landing_sensor.landing_zone_sensor(JOBS)
    with ExitStack() as stack:
        instance = stack.enter_context(home_instance(night.home))
        first = night.until(instance, sensor, districts)
        night.now += 3600
        quiet = [night.tick(instance, sensor) for _ in range(5)]
        spoil(stack, workspace, night, ids[:bad])
        late = ids[bad :: max(1, (districts - bad) // uploading)][:uploading]
        for number, district in enumerate(late):
            night.upload(district, number + 1)
        began = night.now
        busy = night.until(instance, sensor, len(late), most=60)
    asked = Counter(name for tick in busy for name in tick.asked)
    return {
        "districts": districts,
        "uploading": len(late),
        "bad": bad,
        "first load": summary(first),
        "quiet": summary(quiet),
        "02:00": summary(busy) | {"minutes": round((night.now - began) / 60, 1)},
        "not asked for": len(set(late) - set(asked)),
        "asked twice": sum(1 for name in asked if asked[name] > 1),
        "peak MiB": peak(),
    }


def spoil(stack: ExitStack, workspace: Workspace, night: Night, ids: Sequence[str]) -> None:
    """Break the landing zones of some districts: a file instead of the folder, and servers that never answer."""
    for number, district in enumerate(ids):
        if number % 2:
            shutil.rmtree(night.landing / district)
            (night.landing / district).write_text("no folder", "utf-8")
        else:
            silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            feed = remote_feed(
                night.home, f"sftp://{district}@127.0.0.1:{silent.getsockname()[1]}/", pinned=silent.getsockname()[1]
            )
            workspace.registry.add_feed(district, feed, update=True)


def remote_feed(home: Path, url: str, *, pinned: int = 0, known_hosts: Path | None = None) -> Feed:
    """Return a feed on an SFTP server; `pinned`: the port of a server whose pinned key is wrong."""
    import asyncssh

    if known_hosts is None:
        known_hosts = home / f"known_hosts.{pinned}"
        key = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
        known_hosts.write_text(f"[127.0.0.1]:{pinned} {key}\n", "utf-8")
    return Feed(format="clever", path=url, known_hosts=str(known_hosts), password_env="BENCH_PASSWORD")  # noqa: S106 - a name


@contextmanager
def server(work: Path, ids: Sequence[str]) -> Iterator[SimpleNamespace]:
    """Run the bundled SFTP server and two defective ones in a separate process, so that its CPU seconds are not counted."""
    os.environ["BENCH_PASSWORD"] = "of no use elsewhere"  # noqa: S105 - loopback, for one measurement
    near, far = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(work / "sftp", list(ids), far))
    process.start()
    try:
        yield near.recv()
    finally:
        near.send("end")
        process.join(10)
        process.kill()


def _serve(root: Path, ids: list[str], pipe: Any) -> None:
    accounts = [Account(user=name, password=os.environ["BENCH_PASSWORD"]) for name in ids]
    silent, dripping = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_drip, args=(dripping,), daemon=True).start()
    with SftpServer(root, accounts) as running, silent:
        ports = {"silent": silent.getsockname()[1], "dripping": dripping.getsockname()[1]}
        pipe.send(SimpleNamespace(port=running.port, known_hosts=running.known_hosts, root=root, **ports))
        pipe.recv()


def _drip(listening: socket.socket) -> None:
    """Send one byte per second to every client."""
    listening.settimeout(1)
    there: list[socket.socket] = []
    while True:
        with suppress(TimeoutError):
            there.append(listening.accept()[0])
        for found in list(there):
            try:
                found.send(b"S")
            except OSError:
                there.remove(found)


def bench_sftp(work: Path, samples: Sequence[Path], districts: int, uploading: int, bad: int) -> dict[str, Any]:
    """Measure ticks with an account per district on one SFTP server: a round without uploads, and 02:00.

    The first `bad` have a wrong host key, a server that never answers, or one that sends a byte per second. The uploading
    districts are spread evenly among all others.
    """
    night = begin(work, samples)
    workspace, ids = Workspace.open(night.home), names(districts)
    sensor = landing_sensor.landing_zone_sensor(JOBS)
    with server(work, ids) as sftp, home_instance(night.home) as instance:
        night.landing = sftp.root
        for number, district in enumerate(ids):
            workspace.registry.add(
                District(id=district, feeds=(account(night.home, sftp, district, number if number < bad else None),))
            )
        quiet = night.round(instance, sensor, ids)
        late = ids[bad :: max(1, (districts - bad) // uploading)][:uploading]
        for number, district in enumerate(late):
            night.upload(district, number)
        began = night.now
        busy = night.until(instance, sensor, uploading, most=120)
        again = night.round(instance, sensor, ids[bad:])
    asked = Counter(name for tick in night.ticks for name in tick.asked)
    return {
        "districts": districts,
        "uploading": len(late),
        "bad": bad,
        "first round": summary(quiet),
        "02:00": summary(busy) | {"minutes": round((night.now - STEP * len(again) - began) / 60, 1)},
        "one more round": summary(again),
        "CPU ms an account": round(1000 * sum(t.cpu for t in night.ticks) / sum(len(t.looked_at) for t in night.ticks), 1),
        "not asked for": len(set(late) - set(asked)),
        "asked twice": sum(1 for name in asked if asked[name] > 1),
        "asked for though nothing came": len(set(asked) - set(late)),
        "peak MiB": peak(),
    }


def account(home: Path, sftp: SimpleNamespace, district: str, bad: int | None) -> Feed:
    """Return the feed of a district's account; `bad`: the number of a defective one."""
    if bad is None:
        return remote_feed(home, f"sftp://{district}@127.0.0.1:{sftp.port}/", known_hosts=sftp.known_hosts)
    port = (sftp.port, sftp.silent, sftp.dripping)[bad % 3]
    return remote_feed(home, f"sftp://{district}@127.0.0.1:{port}/", pinned=port)


def summary(ticks: Sequence[Cost]) -> dict[str, Any]:
    """Return the figures of some ticks."""
    return {
        "ticks": len(ticks),
        "longest s": round(max(tick.wall for tick in ticks), 2),
        "median s": round(statistics.median(tick.wall for tick in ticks), 2),
        "longest CPU s": round(max(tick.cpu for tick in ticks), 2),
        "median CPU s": round(statistics.median(tick.cpu for tick in ticks), 2),
        "median looked at": round(statistics.median(len(tick.looked_at) for tick in ticks)),
        "cursor bytes": max(tick.cursor for tick in ticks),
        "most requests": max(len(tick.asked) for tick in ticks),
        "asked": sum(len(tick.asked) for tick in ticks),
    }


def peak() -> int:
    """Return the peak memory of this process, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


class Tree:
    """CPU seconds and memory of a process and its descendants, by kind; sampled at intervals."""

    def __init__(self, root: int) -> None:
        self.root = root
        self.cpu: dict[int, tuple[str, float]] = {}
        self.most: dict[str, int] = defaultdict(int)

    def look(self) -> None:
        """Sample what the processes have used until now."""
        together: dict[str, int] = defaultdict(int)
        for pid, kind in self._kinds().items():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                resident = _private(pid)
            except (OSError, IndexError):
                continue
            self.cpu[pid] = (kind, (int(fields[11]) + int(fields[12])) / HERTZ)
            together[kind] += resident
            self.most[f"one {kind}"] = max(self.most[f"one {kind}"], resident)
        together["all"] = sum(together.values())
        for kind, size in together.items():
            self.most[kind] = max(self.most[kind], size)

    def by_kind(self) -> dict[str, float]:
        """Return the CPU seconds of each kind of process."""
        found: dict[str, float] = defaultdict(float)
        for kind, seconds in self.cpu.values():
            found[kind] += seconds
        return dict(found)

    def _kinds(self) -> dict[int, str]:
        parents = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                except (OSError, IndexError):
                    continue
        kinds: dict[int, str] = {}
        open_ = [self.root]
        while open_:
            pid = open_.pop()
            kinds[pid] = _kind(pid, kinds.get(parents.get(pid, 0), ""))
            open_ += [child for child, parent in parents.items() if parent == pid]
        return kinds


def _kind(pid: int, parent: str) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")
    except OSError:
        return parent or "other"
    if "gx_server" in words:
        return "gates"
    if "multiprocessing.forkserver" in words:  # a run keeps the command line of the process that it was forked from
        return "run" if parent in ("warm", "run") else "warm"
    if "grpc" in words:
        return "code server"
    if "dagster._daemon" in words:
        return "daemon"
    return "run" if "spawn_main" in words else "other"


def _private(pid: int) -> int:
    """Return the memory of a process in MiB, with shared pages divided among the processes that share them."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) // 1024
    return 0


def _allow_at_once(configuration: Path, runs: int) -> None:
    """Let Dagster run so many imports at once."""
    text = configuration.read_text().replace("max_concurrent_runs: 6", f"max_concurrent_runs: {runs}")
    configuration.write_text(text.replace("limit: 2\n", f"limit: {runs}\n"))


def bench_daemon(
    work: Path, samples: Sequence[Path], imports: int, at_once: int, *, warm: bool, next_day: bool
) -> dict[str, Any]:
    """Import an upload of each of `imports` districts with a real daemon, and return the cost of each, by kind of process.

    Args: next_day: the districts' first uploads are published before; the daemon imports those of the next day.
    """
    night = begin(work, samples)
    workspace, ids = Workspace.open(night.home), names(imports)
    for number, district in enumerate(ids):
        feed = Feed(format="clever", options={"quiet_period": "0s", "min_interval": "0s"})
        workspace.registry.add(District(id=district, feeds=(feed,)))
        night.upload(district, number)
        if next_day:
            run_import(night.home, Order(district_id=district, source="clever", path=str(night.landing / district)))
            write_next_day(vendor("clever"), samples[number % len(samples)], night.landing / district, seed=number)
    before = len(workspace.warehouse.ledger.imports(limit=10 * imports))
    with home_instance(night.home) as instance:
        instance.get_runs_count()
    _allow_at_once(night.home / "dagster.yaml", at_once)
    homes = {"DAGSTER_HOME": str(night.home), "ROSTER_ETL_HOME": str(night.home), "ROSTER_ETL_SENSOR_SECONDS": "5"}
    began = time.monotonic()
    with (night.home / "daemon.log").open("wb") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "dagster._daemon", "run", "-m", MODULE],
            env={**os.environ, **homes, "ROSTER_ETL_WARM_RUNS": "1" if warm else "0"},
            stdout=log,
            stderr=log,
        )
        try:
            tree = _watched(daemon, workspace, before + imports)
        finally:
            daemon.terminate()
            daemon.wait(60)
    found = sorted(workspace.warehouse.ledger.imports(limit=10 * imports), key=lambda row: int(row["import_id"]))
    states = Counter(str(row["status"]) for row in found[before:])
    cpu = tree.by_kind()
    return {
        "imports": imports,
        "at once": at_once,
        "warm": warm,
        "next day": next_day,
        "status": dict(states),
        "wall s": round(time.monotonic() - began, 1),
        "CPU s of the run and its gates": round(sum(cpu.get(kind, 0.0) for kind in ("run", "gates")) / imports, 2),
        "CPU s an import": {kind: round(seconds / imports, 2) for kind, seconds in cpu.items()},
        "imports an hour and core": round(3600 * imports / sum(cpu.values())),
        "most MiB": dict(tree.most),
    }


def _watched(daemon: subprocess.Popen[bytes], workspace: Workspace, imports: int) -> Tree:
    tree, end = Tree(daemon.pid), time.monotonic() + 120 + 60 * imports
    while time.monotonic() < end and daemon.poll() is None:
        for _ in range(10):
            tree.look()
            time.sleep(0.2)
        done = [
            row for row in workspace.warehouse.ledger.imports(limit=10 * imports) if row["status"] not in ("running", "started")
        ]
        if len(done) >= imports and not any(kind == "run" for kind in tree._kinds().values()):  # noqa: SLF001
            return tree
    sys.exit("the daemon did not get done; see daemon.log")


def bench_together(work: Path, samples: Sequence[Path], imports: int) -> dict[str, Any]:
    """Import one district after another in this process: the possible gain of a batch."""
    night = begin(work, samples)
    workspace, ids = Workspace.open(night.home), names(imports)
    costs = []
    for number, district in enumerate(ids):
        workspace.registry.add(District(id=district, feeds=(Feed(format="clever"),)))
        before = sum(os.times()[:4])
        run_import(night.home, Order(district_id=district, source="clever", path=str(samples[number % len(samples)])))
        costs.append(sum(os.times()[:4]) - before)
    rest = statistics.mean(costs[1:])
    figures = {"first, CPU s": round(costs[0], 2), "each further, CPU s": round(rest, 2)}
    return {"imports": imports, **figures, "imports an hour and core": round(3600 / rest), "peak MiB": peak()}


def print_figures(name: str, figures: dict[str, Any]) -> None:
    """Print the figures of one part."""
    print(f"\n{name}")
    for key, value in figures.items():
        print(f"  {key}: {json.dumps(value) if isinstance(value, dict) else value}", flush=True)


def print_bars(name: str, figures: dict[str, Any]) -> None:
    """Print the limits for ticks beside the measured cost."""
    ticks = [part for part in figures.values() if isinstance(part, dict) and "longest s" in part]
    bars = (("longest s", TICK_BAR), ("most requests", REQUEST_BAR), ("cursor bytes", CURSOR_BAR))
    for key, bar in bars:
        found = max(part[key] for part in ticks)
        print(f"  {name} {key}: {found:,}  bar {bar:,}  {'held' if found <= bar else 'MISSED'}", flush=True)


def arguments() -> argparse.Namespace:
    """Return the parsed arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--districts", type=int, default=1000)
    parser.add_argument("--uploading", type=int, default=200)
    parser.add_argument("--bad", type=int, default=20, help="districts whose landing zone cannot be looked at")
    parser.add_argument(
        "--sftp", type=int, default=0, help="districts with an account of their own on an SFTP server (0: leave out)"
    )
    parser.add_argument("--imports", type=int, default=0, help="real imports by a daemon (0: leave out)")
    parser.add_argument("--next-day", action="store_true", help="the daemon imports the day after the first uploads")
    parser.add_argument("--at-once", type=int, default=2, help="imports at one time")
    parser.add_argument("--students", type=int, default=200)
    parser.add_argument("--parts", nargs="+", default=["sensor", "sftp", "cold", "warm", "together"])
    parser.add_argument("--work", type=Path, help="folder to work in and to keep (default: a temporary one)")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    return parser.parse_args()


def measured(asked: argparse.Namespace, work: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Run the requested parts, one after the other."""
    samples = made(work, asked.students)
    if "sensor" in asked.parts:
        yield "sensor, local folders", bench_sensor(work / "sensor", samples, asked.districts, asked.uploading, asked.bad)
    if "sftp" in asked.parts and asked.sftp:
        uploading = min(asked.uploading, asked.sftp - asked.bad)
        yield "sensor, SFTP accounts", bench_sftp(work / "sftp", samples, asked.sftp, uploading, asked.bad)
    for part in ("cold", "warm"):
        if part in asked.parts and asked.imports:
            yield (
                f"imports, {part}",
                bench_daemon(work / part, samples, asked.imports, asked.at_once, warm=part == "warm", next_day=asked.next_day),
            )
    if "together" in asked.parts and asked.imports:
        yield "imports, one process", bench_together(work / "together", samples, asked.imports)


def main() -> None:
    """Run the requested measurements, and print them."""
    asked, found = arguments(), {}
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="roster-many-") as temporary:
        for name, figures in measured(asked, (asked.work or Path(temporary)).absolute()):
            found[name] = figures
            print_figures(name, figures)
            if name.startswith("sensor"):
                print_bars(name, figures)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

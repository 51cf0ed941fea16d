"""Measure a night of many districts: `make bench-many DISTRICTS=1000 UPLOADING=200`.

Belongs here: inventing districts, ticking the real sensor until all that uploaded are asked for, letting a real daemon import some, and
printing figures. Not here: what is measured, and no assertion: bars are printed beside the figures.
CPU seconds (user + system) are from ``/proc`` (Linux): they mean something on a busy machine too, wall time does not.
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
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg

from roster_etl.orchestration.definitions import JOBS
from roster_etl.orchestration.jobs.in_process_runs import MODULE, home_instance, run_import
from roster_etl.orchestration.runtime.current_home import use_home
from roster_etl.orchestration.sensors import landing_sensor, landing_watch
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.store.loopback.sftp_server import Account, SftpServer
from roster_etl.store.registry.registry import District, Feed
from roster_etl.vendors import vendor

NIGHT = 1_800_000_000.0  # the clock of the ticks: one every STEP seconds, however long it took
STEP = 30.0
LIST_FEED = landing_watch._list_feed  # noqa: SLF001
SAMPLES = 10  # different uploads; districts share them
TICK_BAR, REQUEST_BAR, CURSOR_BAR = 10.0, 25, 10_000
HERTZ = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one tick cost and asked for: seconds, CPU seconds of the process, bytes of the cursor, and the districts that it looked at and asked for."""

    wall: float
    cpu: float
    cursor: int
    looked_at: frozenset[str]
    asked: tuple[str, ...]


@dataclass(kw_only=True)
class Night:
    """A home with its districts, where their uploads arrive, and the sensor on a clock of its own."""

    home: Path
    landing: Path
    samples: Sequence[Path]
    now: float = NIGHT
    cursor: str | None = None
    ticks: list[Cost] = field(default_factory=list)

    def upload(self, district: str, number: int) -> None:
        """Let a district upload, in the place of what lay there."""
        folder = self.landing / district
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.samples[number % len(self.samples)], folder, copy_function=shutil.copyfile)

    def tick(self, instance: dg.DagsterInstance, sensor: dg.SensorDefinition) -> Cost:
        """Evaluate the sensor once."""
        landing_sensor.time = SimpleNamespace(time=lambda: self.now)  # type: ignore[assignment,attr-defined]
        looked_at: set[str] = set()

        def listed(district: District, *rest: Any) -> Any:
            looked_at.add(district.id)
            return LIST_FEED(district, *rest)

        landing_watch._list_feed = listed  # type: ignore[assignment]  # noqa: SLF001
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
        """Tick until all of `ids` were looked at, at most `most` times, and return those ticks."""
        first, left = len(self.ticks), set(ids)
        while left and len(self.ticks) - first < most:
            left -= self.tick(instance, sensor).looked_at
        return self.ticks[first:]

    def until(self, instance: dg.DagsterInstance, sensor: dg.SensorDefinition, wanted: int, most: int = 400) -> list[Cost]:
        """Tick until `wanted` uploads were asked for, at most `most` times, and return those ticks."""
        first, asked = len(self.ticks), 0
        while asked < wanted and len(self.ticks) - first < most:
            asked += len(self.tick(instance, sensor).asked)
        return self.ticks[first:]


def names(count: int) -> list[str]:
    """Return the ids of `count` invented districts."""
    return [f"district-{number:05d}" for number in range(count)]


def made(work: Path, students: int) -> list[Path]:
    """Write the uploads that districts share."""
    folders = [work / "samples" / str(number) for number in range(SAMPLES)]
    for number, folder in enumerate(folders):
        write_sample(vendor("clever"), folder, students=students, seed=number)
    return folders


def begin(work: Path, samples: Sequence[Path], **landing: Any) -> Night:
    """Return a home without districts. `landing`: further settings of the landing zone."""
    home, zone = work / "home", work / "landing"
    home.mkdir(parents=True)
    zone.mkdir()
    lines = [f"{name} = {json.dumps(value)}" for name, value in {"base": str(zone), **landing}.items()]
    (home / "roster_etl.toml").write_text("[landing]\n" + "\n".join(lines) + "\n", "utf-8")
    return Night(home=home, landing=zone, samples=samples)


def concluded(workspace: Workspace, districts: Sequence[str], when: float) -> None:
    """Write into the ledger that each district's upload was imported: the sensor looks there before it asks once more."""
    from datetime import UTC, datetime

    from roster_etl.store.warehouse import ImportResult

    at = datetime.fromtimestamp(when, UTC)
    for district in districts:
        number = workspace.warehouse.open_import(kind="upload", district_id=district, source="clever", started_at=at)
        workspace.warehouse.conclude(ImportResult(import_id=number, status="unchanged", finished_at=at, summary={}))


# ── part 1: the sensor ──


def bench_sensor(work: Path, samples: Sequence[Path], districts: int, uploading: int, bad: int) -> dict[str, Any]:
    """Measure ticks with landing zones in local folders: the first load, a quiet night, and 02:00."""
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
    """Give some districts what no look can succeed at: a file in place of the folder, and servers that never answer."""
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
    """Return a feed on an SFTP server; `pinned`: the port of one whose key is pinned, and wrong."""
    import asyncssh

    if known_hosts is None:
        known_hosts = home / f"known_hosts.{pinned}"
        key = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
        known_hosts.write_text(f"[127.0.0.1]:{pinned} {key}\n", "utf-8")
    return Feed(format="clever", path=url, known_hosts=str(known_hosts), password_env="BENCH_PASSWORD")  # noqa: S106 - a name


@contextmanager
def server(work: Path, ids: Sequence[str]) -> Iterator[SimpleNamespace]:
    """Run the bundled SFTP server, and two that are of no use, in a process of its own: its CPU seconds are not ours."""
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
    """Send a letter a second to everyone who connects."""
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
    """Measure ticks with an account for each district on one SFTP server: a round in which nothing lies there, and 02:00.

    The first `bad` have a wrong host key, a server that says nothing, or one that sends a letter a second. Those that upload lie among
    all the others, evenly.
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
    """Return the feed of a district's account; `bad`: the number of one with which something is wrong."""
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
    """Return the most memory that this process had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


# ── part 2: imports ──


class Tree:
    """CPU seconds and memory of a process and all that it began, by what they are; looked at every so often."""

    def __init__(self, root: int) -> None:
        self.root = root
        self.cpu: dict[int, tuple[str, float]] = {}
        self.most: dict[str, int] = defaultdict(int)

    def look(self) -> None:
        """Take in what the processes have used until now."""
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
    if "gate_server" in words:
        return "gates"
    if "multiprocessing.forkserver" in words:  # a run keeps the words of the process that it was forked from
        return "run" if parent in ("warm", "run") else "warm"
    if "grpc" in words:
        return "code server"
    if "dagster._daemon" in words:
        return "daemon"
    return "run" if "spawn_main" in words else "other"


def _private(pid: int) -> int:
    """Return the memory of a process in MiB, what it shares divided among those who share it."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) // 1024
    return 0


def bench_daemon(work: Path, samples: Sequence[Path], imports: int, at_once: int, *, warm: bool) -> dict[str, Any]:
    """Let a real daemon import an upload of each of `imports` districts, and say what each cost, by kind of process."""
    night = begin(work, samples)
    workspace, ids = Workspace.open(night.home), names(imports)
    for number, district in enumerate(ids):
        feed = Feed(format="clever", options={"quiet_period": "0s", "min_interval": "0s"})
        workspace.registry.add(District(id=district, feeds=(feed,)))
        night.upload(district, number)
    with home_instance(night.home) as instance:
        instance.get_runs_count()
    configuration = night.home / "dagster.yaml"
    text = configuration.read_text().replace("max_concurrent_runs: 2", f"max_concurrent_runs: {at_once}")
    configuration.write_text(text)
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
            tree = _watched(daemon, workspace, imports)
        finally:
            daemon.terminate()
            daemon.wait(60)
    states = Counter(str(row["status"]) for row in workspace.warehouse.imports(limit=10 * imports))
    cpu = tree.by_kind()
    return {
        "imports": imports,
        "at once": at_once,
        "warm": warm,
        "status": dict(states),
        "wall s": round(time.monotonic() - began, 1),
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
        done = [row for row in workspace.warehouse.imports(limit=10 * imports) if row["status"] not in ("running", "started")]
        if len(done) >= imports and not any(kind == "run" for kind in tree._kinds().values()):  # noqa: SLF001
            return tree
    sys.exit("the daemon did not get done; see daemon.log")


def bench_together(work: Path, samples: Sequence[Path], imports: int) -> dict[str, Any]:
    """Import one district after another in this process: what a batch could win."""
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
    """Print what one part found."""
    print(f"\n{name}")
    for key, value in figures.items():
        print(f"  {key}: {json.dumps(value) if isinstance(value, dict) else value}", flush=True)


def print_bars(name: str, figures: dict[str, Any]) -> None:
    """Print what ticks may cost beside what they did."""
    ticks = [part for part in figures.values() if isinstance(part, dict) and "longest s" in part]
    bars = (("longest s", TICK_BAR), ("most requests", REQUEST_BAR), ("cursor bytes", CURSOR_BAR))
    for key, bar in bars:
        found = max(part[key] for part in ticks)
        print(f"  {name} {key}: {found:,}  bar {bar:,}  {'held' if found <= bar else 'MISSED'}", flush=True)


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--districts", type=int, default=1000)
    parser.add_argument("--uploading", type=int, default=200)
    parser.add_argument("--bad", type=int, default=20, help="districts whose landing zone cannot be looked at")
    parser.add_argument(
        "--sftp", type=int, default=0, help="districts with an account of their own on an SFTP server (0: leave out)"
    )
    parser.add_argument("--imports", type=int, default=0, help="real imports by a daemon (0: leave out)")
    parser.add_argument("--at-once", type=int, default=2, help="imports at one time")
    parser.add_argument("--students", type=int, default=200)
    parser.add_argument("--parts", nargs="+", default=["sensor", "sftp", "cold", "warm", "together"])
    parser.add_argument("--work", type=Path, help="folder to work in and to keep (default: a temporary one)")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    return parser.parse_args()


def measured(asked: argparse.Namespace, work: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Measure the parts that were asked for, one after the other."""
    samples = made(work, asked.students)
    if "sensor" in asked.parts:
        yield "sensor, local folders", bench_sensor(work / "sensor", samples, asked.districts, asked.uploading, asked.bad)
    if "sftp" in asked.parts and asked.sftp:
        uploading = min(asked.uploading, asked.sftp - asked.bad)
        yield "sensor, SFTP accounts", bench_sftp(work / "sftp", samples, asked.sftp, uploading, asked.bad)
    for part in ("cold", "warm"):
        if part in asked.parts and asked.imports:
            yield f"imports, {part}", bench_daemon(work / part, samples, asked.imports, asked.at_once, warm=part == "warm")
    if "together" in asked.parts and asked.imports:
        yield "imports, one process", bench_together(work / "together", samples, asked.imports)


def main() -> None:
    """Measure what was asked for, and print it."""
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

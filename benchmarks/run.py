"""Time the Clever import beside the reference pipeline: `make bench`.

Belongs here: generating districts, running both programs in cold processes in turn, and printing figures. Does not belong here:
the measured code (the command line, called as a person would), and assertions: limits are printed beside the figures.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

from benchmarks.recorded import compare, read_ratios, verdict_text, write_ratios

HERE = Path(__file__).resolve().parent
REFERENCE = HERE / "reference"
PHASES = {"first": "day1", "churn": "day2", "unchanged": "day2"}
PROGRAMS = ("reference", "import", "clean", "warm")
"""In turn, the reference and ours on uploads with damaged rows, as uploads are; ours on the same ones without; and ours as the daemon runs it."""
DIRT_LIMITS = ((0.003, 1.15), (0.05, 1.6), (0.2, 2.0))
"""CPU seconds of an import with up to this share of damaged rows, against those of a clean one."""
NIGHT_STUDENTS = 200  # of the district whose nights are measured: what grows with history does so whatever its size
MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Run:
    """The cost of a process and its children: wall and CPU seconds, peak bytes; and reported step timings in seconds."""

    wall: float
    cpu: float
    peak: int
    steps: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A limit for a figure, from `students` students on."""

    name: str
    found: float
    limit: float
    students: int = 100_000

    @property
    def held(self) -> bool:
        """Whether the figure keeps to the limit."""
        return self.found <= self.limit


def measure(command: list[str], *, log: Path, answers: Sequence[int] = (0,)) -> tuple[Run, str]:
    """Run `command` in its own process, and return its cost and its standard output. ``answers``: exit codes that are none of a failure.

    Raises: SystemExit: the command failed; its standard error is in `log`.
    """
    with tempfile.TemporaryFile() as output, log.open("ab") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        with Watch(process.pid) as watch:
            _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode()
    if process.returncode not in answers:
        sys.exit(f"exit code {process.returncode}: {' '.join(command)}\nstandard error: {log}\n{text[-2000:]}")
    scale = 1 if sys.platform == "darwin" else 1024
    peak = max(usage.ru_maxrss * scale, watch.peak)
    return Run(wall=wall, cpu=usage.ru_utime + usage.ru_stime, peak=peak, steps=step_timings(text)), text


class Watch:
    """Sample the memory of a process and its children ten times a second; does nothing without ``/proc``.

    ``peak``: bytes. Pages of files that several of them map (the libraries) are counted once, those of the one that has most.
    """

    def __init__(self, pid: int) -> None:
        self._pid, self.peak, self._over = pid, 0, Event()
        self._thread = Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        """Start sampling."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop sampling."""
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.1):
            found = [pages for pid in family(self._pid) if (pages := memory_pages(pid))]
            if found:
                size = sum(resident - shared for resident, shared in found) + max(shared for _, shared in found)
                self.peak = max(self.peak, size * os.sysconf("SC_PAGE_SIZE"))


def family(pid: int) -> list[int]:
    """Return `pid` and its descendants; without those that have ended meanwhile."""
    try:
        children = [int(word) for path in Path(f"/proc/{pid}/task").glob("*/children") for word in path.read_text().split()]
    except OSError:
        children = []
    return [pid, *(member for child in children for member in family(child))]


def memory_pages(pid: int) -> tuple[int, int] | None:
    """Return the number of resident pages of process `pid`, and how many of these map files; None: it has ended."""
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
    except (OSError, ValueError):
        return None
    return int(resident), int(shared)


def step_timings(output: str) -> dict[str, float]:
    """Return the seconds by step in an import's JSON (`timings`, at the top or under `summary`); empty if there are none."""
    try:
        document: dict[str, Any] = json.loads(output)
    except ValueError:
        return {}
    timings = document.get("timings") or (document.get("summary") or {}).get("timings") or {}
    return {str(step): float(seconds) for step, seconds in timings.items()}


def generate(students: int, folder: Path, *, churn: float, dirty: float = 0.0, format_: str = "clever") -> None:
    """Write a district of `students` students and its next day, unless the folder has them already."""
    if not (folder / "manifest.json").exists():
        words = ["--students", str(students), "--out", str(folder), "--churn", str(churn), "--dirty", str(dirty)]
        words += ["--format", format_]
        subprocess.run([sys.executable, str(REFERENCE / "gen_roster.py"), *words], check=True, stdout=subprocess.DEVNULL)
        for truth in folder.glob("day*/truth_dirty.jsonl"):  # no file of an upload
            truth.rename(folder / f"{truth.parent.name}_truth.jsonl")


def reference_command(district: Path, work: Path, phase: str) -> list[str]:
    """Return the command of the reference for `phase`; `work` has its state and its database."""
    number = str(1 + list(PHASES).index(phase))
    script = str(REFERENCE / "reference_pipeline.py")
    return [sys.executable, script, str(district / PHASES[phase]), str(work / "state"), f"adbc:{work / 'reference.db'}", number]


def import_command(upload: Path, home: Path, district: str) -> list[str]:
    """Return our import command for an upload, as a person would type it."""
    words = ["import", str(upload), "--district", district, "--format", "clever"]
    return [sys.executable, "-m", "roster_etl.cli", *words, "--home", str(home), "--json"]


def published(upload: Path, home: Path, log: Path, district: str = "bench") -> Run:
    """Import an upload, and approve it if it is held: the next one is then compared with it. Returns the cost of the import."""
    run, text = measure(import_command(upload, home, district), log=log, answers=(0, 4))
    approve(json.loads(text), home, log)
    return run


def approve(document: Mapping[str, Any], home: Path, log: Path) -> None:
    """Approve an import that is held."""
    if document["status"] == "held":
        words = ["holds", "approve", str(document["import_id"]), "--by", "bench", "--home", str(home), "--json"]
        measure([sys.executable, "-m", "roster_etl.cli", *words], log=log)


def warm_run(upload: Path, home: Path, log: Path) -> Run:
    """Import an upload as the daemon runs it, and approve it if it is held. Returns the cost of the import."""
    _, text = measure([sys.executable, str(HERE / "warm.py"), str(home), str(upload)], log=log)
    outcome, cost = map(json.loads, text.splitlines())
    approve(outcome, home, log)
    return Run(wall=cost["wall"], cpu=cost["cpu"], peak=0)


def one_round(district: Path, clean: Path, work: Path, history: Path | None) -> dict[str, dict[str, Run]]:
    """Run all phases once, the reference and ours in turn, into new databases. Returns {program: {phase: run}}.

    Args: history: a home with earlier nights of another district, which ours begin with.
    """
    shutil.rmtree(work, ignore_errors=True)
    (work / "state").mkdir(parents=True)
    for home in ("home", "clean") if history else ():
        shutil.copytree(history or work, work / home)
    runs: dict[str, dict[str, Run]] = {program: {} for program in PROGRAMS}
    for phase, day in PHASES.items():
        runs["reference"][phase], _ = measure(reference_command(district, work, phase), log=work / "reference.log")
        runs["import"][phase] = published(district / day, work / "home", work / "import.log")
        runs["clean"][phase] = published(clean / day, work / "clean", work / "clean.log")
    for phase in ("churn", "unchanged"):  # the home has the second day's upload: the first day's differs as much
        runs["warm"][phase] = warm_run(district / PHASES["first"], work / "home", work / "warm.log")
    for program, phases in runs.items():
        print(f"  {program:10}" + "".join(f" {phase} {run.cpu:.2f} CPU s" for phase, run in phases.items()), file=sys.stderr)
    return runs


def bench_nights(work: Path, nights: int, *, churn: float, dirty: float) -> dict[str, Any]:
    """Import a small district's uploads night after night, and measure what a night costs, and what it leaves on the disk.

    ``cpu``: seconds of each night; ``ratio``: of the last five nights against nights 2 to 6; ``bytes``: by folder of the home, a night.
    """
    district, home = work / f"district-{NIGHT_STUDENTS}-{churn}-{dirty}", work / "nights"
    generate(NIGHT_STUDENTS, district, churn=churn, dirty=dirty)
    shutil.rmtree(home, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
    cpu, sizes = [], []
    for night in range(nights):
        cpu.append(published(district / f"day{1 + night % 2}", home, work / "nights.log", "earlier").cpu)
        sizes.append(folder_sizes(home))
    grown = {name: (sizes[-1][name] - sizes[0].get(name, 0)) / max(nights - 1, 1) for name in sizes[-1]}
    ratio = statistics.median(cpu[-5:]) / statistics.median(cpu[1:6] or cpu)
    return {"nights": nights, "students": NIGHT_STUDENTS, "cpu": cpu, "ratio": ratio, "bytes": grown}


def folder_sizes(home: Path) -> dict[str, int]:
    """Return the bytes of the files in a home, by the first part of their path."""
    sizes: dict[str, int] = {}
    for path in home.rglob("*"):
        if path.is_file() and not path.name.endswith(("-wal", "-shm")):
            name = path.relative_to(home).parts[0]
            sizes[name] = sizes.get(name, 0) + path.stat().st_size
    return sizes


def print_nights(found: dict[str, Any]) -> None:
    """Print what the nights cost."""
    verdict = "held" if found["ratio"] <= 1.1 else "MISSED"
    print(f"\n{found['nights']} nights of {found['students']} students")
    print(f"  CPU s: first {found['cpu'][0]:.2f}, last {found['cpu'][-1]:.2f}")
    print(f"  {'last nights / first ones (CPU)':33}{found['ratio']:8.2f}  bar 1.10  {verdict}")
    for name, size in sorted(found["bytes"].items(), key=lambda item: -item[1]):
        print(f"  {name:33}{size / 1024:8.1f} KiB a night")


def medians(rounds: list[dict[str, dict[str, Run]]]) -> dict[str, dict[str, Run]]:
    """Return the median of every figure over the rounds."""
    return {
        program: {phase: median([one[program][phase] for one in rounds]) for phase in phases}
        for program, phases in rounds[0].items()
    }


def median(runs: list[Run]) -> Run:
    """Return the median run, figure by figure."""
    steps = {step: statistics.median(run.steps.get(step, 0.0) for run in runs) for run in runs for step in run.steps}
    return Run(
        wall=statistics.median(run.wall for run in runs),
        cpu=statistics.median(run.cpu for run in runs),
        peak=int(statistics.median(run.peak for run in runs)),
        steps=steps,
    )


def ratios(result: Mapping[str, Mapping[str, Run]]) -> dict[str, float]:
    """Return the ratios of CPU seconds that do not depend on the machine, for the record."""
    reference, ours, clean, warm = (result[program] for program in PROGRAMS)
    return {
        "first load / H": ours["first"].cpu / reference["first"].cpu,
        "churn / H": ours["churn"].cpu / reference["churn"].cpu,
        "churn / first load": ours["churn"].cpu / ours["first"].cpu,
        "unchanged / the reference's": ours["unchanged"].cpu / reference["unchanged"].cpu,
        "churn as the daemon runs it / H": warm["churn"].cpu / reference["churn"].cpu,
        "unchanged as the daemon runs it / H": warm["unchanged"].cpu / reference["unchanged"].cpu,
        "dirty / clean, first": ours["first"].cpu / clean["first"].cpu,
        "dirty / clean, churn": ours["churn"].cpu / clean["churn"].cpu,
    }


def hashing_seconds(upload: Path) -> float:
    """Return the CPU seconds of reading the files of an upload and hashing them once, the least of three: no import can do with less."""
    found = []
    for _ in range(3):
        start = time.process_time()
        for path in upload.glob("*.csv"):
            with path.open("rb") as file:
                hashlib.file_digest(file, "sha256")
        found.append(time.process_time() - start)
    return min(found)


def bars(result: Mapping[str, Mapping[str, Run]], students: int, largest: int, dirty: float, hashing: float) -> list[Bar]:
    """Return the limits with the measured values: ratios of wall and of CPU time, memory in MiB.

    Args: largest: bytes of the largest file. hashing: seconds of reading and hashing the unchanged upload.
    """
    reference, ours = result["reference"], result["import"]
    found = ratios(result)
    limit = next((limit for share, limit in DIRT_LIMITS if dirty <= share), DIRT_LIMITS[-1][1])
    of_first = 2.0 if students >= 1_000_000 else 2.2
    peak = max(run.peak for run in ours.values())
    wall = {
        "first load / H": (ours["first"].wall / reference["first"].wall, of_first),
        "churn / first load": (ours["churn"].wall / ours["first"].wall, 0.45),
        "unchanged / the reference's": (ours["unchanged"].wall / reference["unchanged"].wall, 0.5),
    }
    return [
        *(Bar(name=f"{name}, wall", found=ratio, limit=limit) for name, (ratio, limit) in wall.items()),
        *(Bar(name=f"{name}, CPU", found=found[name], limit=limit) for name, (_, limit) in wall.items()),
        Bar(
            name="churn as the daemon runs it / H, CPU",
            found=found["churn as the daemon runs it / H"],
            limit=2.5,
            students=10_000,
        ),
        Bar(
            name="unchanged as the daemon runs it, above hashing, CPU s",
            found=result["warm"]["unchanged"].cpu - hashing,
            limit=0.3,
            students=0,
        ),
        *(
            Bar(
                name=f"{dirty:.1%} dirty / clean, {phase}, CPU",
                found=found[f"dirty / clean, {phase}"],
                limit=limit,
                students=10_000,
            )
            for phase in ("first", "churn")
        ),
        Bar(name="peak memory, MiB", found=peak / MIB, limit=(350e6 + 4 * largest) / MIB, students=1_000_000),
    ]


def print_result(students: int, csv_bytes: int, result: dict[str, dict[str, Run]], limits: Sequence[Bar]) -> None:
    """Print one size: figures, limits, and the step times of our imports."""
    print(f"\n{students:,} students, {csv_bytes / 1e6:.1f} MB of CSV a day (medians)")
    print(f"  {'phase':10}{'program':11}{'wall s':>8}{'cpu s':>8}{'peak MiB':>10}{'wall/ref':>10}{'cpu/ref':>9}")
    for phase in PHASES:
        base = result["reference"][phase]
        for program in PROGRAMS:
            if phase in result[program]:
                run = result[program][phase]
                compared = f"{run.wall / base.wall:>10.2f}{run.cpu / base.cpu:>9.2f}"
                print(f"  {phase:10}{program:11}{run.wall:8.2f}{run.cpu:8.2f}{run.peak / MIB:10.0f}{compared}")
    for bar in limits:
        verdict = ("held" if bar.held else "MISSED") if students >= bar.students else f"(set for {bar.students:,} students)"
        print(f"  {bar.name:54}{bar.found:8.2f}  bar {bar.limit:.2f}  {verdict}")
    for phase in PHASES:
        print_steps(phase, result["import"][phase])


def print_steps(phase: str, run: Run) -> None:
    """Print the steps of one import, longest first, and the time outside of them (start-up, imports, shutdown)."""
    if not run.steps:
        return
    print(f"  where the {phase} import's time goes")
    rest = run.wall - sum(run.steps.values())
    for step, seconds in sorted([*run.steps.items(), ("(outside the steps)", rest)], key=lambda item: -item[1]):
        print(f"    {step:32}{seconds:7.2f} s {seconds / run.wall:5.0%}")


def arguments() -> argparse.Namespace:
    """Return the parsed arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000], help="districts by number of students")
    parser.add_argument("--churn", type=float, default=0.01, help="share of the records that change from one day to the next")
    parser.add_argument("--dirty", type=float, default=0.003, help="share of the rows that are damaged")
    parser.add_argument(
        "--nights",
        type=int,
        default=30,
        help=f"nights of a district of {NIGHT_STUDENTS} students, which are in the warehouse before the rest is measured (0: leave out)",
    )
    parser.add_argument("--repeat", type=int, default=3, help="rounds; medians are printed")
    parser.add_argument("--work", type=Path, help="folder to work in and to keep (default: a temporary one)")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--check", type=Path, help="fail if a ratio is worse than the one recorded in this file; takes one size")
    parser.add_argument("--record", type=Path, help="record the ratios in this file; takes one size")
    return parser.parse_args()


def bench(asked: argparse.Namespace, students: int, work: Path, history: Path | None) -> dict[str, Any]:
    """Measure one size, print it, and return its figures."""
    district, clean = (work / f"district-{students}-{asked.churn}-{share}" for share in (asked.dirty, 0.0))
    generate(students, district, churn=asked.churn, dirty=asked.dirty)
    generate(students, clean, churn=asked.churn)
    sizes = [path.stat().st_size for path in (district / "day1").glob("*.csv")]
    result = medians([one_round(district, clean, work / f"run-{students}", history) for _ in range(asked.repeat)])
    limits = bars(result, students, max(sizes), asked.dirty, hashing_seconds(district / PHASES["first"]))
    print_result(students, sum(sizes), result, limits)
    return {
        "students": students,
        "csv_bytes": sum(sizes),
        "dirty": asked.dirty,
        "runs": {program: {phase: asdict(run) for phase, run in phases.items()} for program, phases in result.items()},
        "ratios": ratios(result),
        "bars": [asdict(bar) for bar in limits],
    }


def check(asked: argparse.Namespace, figures: dict[str, Any]) -> None:
    """Record the ratios of a size, or compare them with the record. Raises SystemExit: one is worse."""
    setup = {"students": figures["students"], "dirty": asked.dirty, "churn": asked.churn, "nights": asked.nights}
    if asked.record:
        write_ratios(asked.record, setup, figures["ratios"])
    if asked.check:
        verdicts = compare(figures["ratios"], read_ratios(asked.check, setup))
        print("\nagainst the record, CPU seconds", *map(verdict_text, verdicts), sep="\n  ")
        if any(verdict.worse for verdict in verdicts):
            sys.exit("a ratio is worse than the recorded one: mend it, or record it anew and say why")


def main() -> None:
    """Measure the nights, and every requested size after them."""
    asked = arguments()
    if (asked.check or asked.record) and len(asked.sizes) != 1:
        sys.exit("--check and --record take one size")
    with tempfile.TemporaryDirectory(prefix="roster-bench-") as temporary:
        work = (asked.work or Path(temporary)).absolute()
        figures: list[dict[str, Any]] = []
        if asked.nights:
            figures.append(bench_nights(work, asked.nights, churn=asked.churn, dirty=asked.dirty))
            print_nights(figures[-1])
        history = work / "nights" if asked.nights else None
        figures += [bench(asked, students, work, history) for students in asked.sizes]
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if asked.check or asked.record:
        check(asked, figures[-1])


if __name__ == "__main__":
    main()

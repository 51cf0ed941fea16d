"""``demo``: run the whole pipeline on an empty machine with real parts: SFTP server, sensor, daemon, runs, roster, history."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from roster_etl.cli.context import Call
from roster_etl.cli.demo.application import USER, DemoApplication
from roster_etl.cli.demo.code_server import code_server
from roster_etl.cli.demo.processes import DemoStuck, free_port, require_free_port, running_process
from roster_etl.cli.demo.second_feed import SecondFeed
from roster_etl.cli.global_options import UsageError
from roster_etl.cli.history import feed_label
from roster_etl.cli.lineage import render_trace
from roster_etl.cli.render_import import render_import, render_import_header
from roster_etl.cli.text_tables import indented
from roster_etl.demo_server.sftp_server import Account, SftpServer
from roster_etl.demo_server.sftp_upload import make_key, upload_files
from roster_etl.pipeline.lineage.trace import trace_record
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.projections.samples import write_next_day, write_sample
from roster_etl.spec.sample_types import SampleChange
from roster_etl.store.files.folder import create_private_folder
from roster_etl.store.registry.registry import District, Feed
from roster_etl.vendors import discover_vendors, vendor

if TYPE_CHECKING:
    from subprocess import Popen


DETAILED_FORMAT = "clever"  # the format whose next day is printed in full, and of which a cell is traced
SAMPLE_DISTRICTS = (
    ("lincoln", "Lincoln County Schools", "America/Chicago"),
    ("riverside", "Riverside Unified", "America/Los_Angeles"),
    ("harbor", "Harbor City Schools", "America/New_York"),
    ("juniper", "Juniper Valley", "America/Denver"),
    ("anchor", "Anchor Point Borough", "America/Anchorage"),
    ("mesa", "Mesa Verde Academies", "America/Phoenix"),
)
UI_PORT = 3000  # port of the command that opens the UI later
TIMEOUT_SECONDS = 240.0  # seconds for one round of imports on a slow machine; ten to thirty are usual
_FEED_OPTIONS = {"quiet_period": "2s", "min_interval": "0", "straggler_wait": "30s"}
_FAST_ENVIRONMENT = {"ROSTER_ETL_SENSOR_SECONDS": "2"}
_POLL_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class DemoDistrict:
    """A sample district. ``format``: the format that it uploads; ``password``: None: it logs in with a key."""

    id: str
    name: str
    time_zone: str
    format: str
    students: int
    seed: int
    password: str | None = None

    @property
    def password_variable(self) -> str:
        """The environment variable with its password."""
        return f"DEMO_PASSWORD_{self.id.upper()}"


def demo(
    call: Call,
    ui: Annotated[bool, typer.Option("--ui", help="Open the Dagster UI at the end, and stay until Ctrl-C.")] = False,
    students: Annotated[int, typer.Option("--students", metavar="N", min=20, help="Students of the largest district.")] = 300,
    port: Annotated[
        int | None, typer.Option("--port", metavar="N", min=1, max=65535, help="The port of the UI; default: a free one.")
    ] = None,
) -> int:
    """Show the whole thing: a sample district per format uploads over a real SFTP server; sensor and daemon import them."""
    if ui and port:
        require_free_port(port)
    call.home, call.creates_home = _demo_home(call), True
    guests = _demo_districts(students)
    application = DemoApplication(district_id=guests[0].id)
    install_sigterm_handler()
    with ExitStack() as stack:
        story = DemoRun(call, guests, application, stack.enter_context(_sftp_server(call, guests, application)))
        story.register_districts()
        daemon = stack.enter_context(_dagster_daemon(call, guests, application))
        story.import_first_day(daemon)
        story.import_next_day(daemon)
        story.upload_truncated_roster(daemon)
        story.compare_second_feed()
        story.print_summary(_ui_command(call, port or UI_PORT), opens_ui=ui)
        if ui:
            _open_ui(call, stack, port or free_port())
    return 0


def _demo_districts(students: int) -> tuple[DemoDistrict, ...]:
    """Return a district for each format; the first one is shown in detail, and has the given number of `students`."""
    formats = sorted(discover_vendors(), key=lambda name: (name != DETAILED_FORMAT, name))
    return tuple(_demo_district(number, name, students) for number, name in enumerate(formats))


def _demo_district(number: int, format_name: str, students: int) -> DemoDistrict:
    place = (
        SAMPLE_DISTRICTS[number] if number < len(SAMPLE_DISTRICTS) else (f"district{number + 1}", f"District {number + 1}", "UTC")
    )
    return DemoDistrict(
        id=place[0],
        name=place[1],
        time_zone=place[2],
        format=format_name,
        students=students if number == 0 else max(20, students // 4),
        seed=11 * (number + 1),
        password=None if number % 2 else secrets.token_hex(16),
    )


def install_sigterm_handler() -> None:
    """Handle SIGTERM like Ctrl-C, so that every started process is ended; the handler is restored at the end of the call."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def _demo_home(call: Call) -> Path:
    """Return the home to use: the given one, which must be new or empty, else a new folder under ``./demo_home``."""
    if call.home_named:
        if call.home.exists() and any(call.home.iterdir()):
            raise UsageError(problem="--home: the demo wants a new or an empty folder")
        return call.home.absolute()
    base = Path("demo_home").absolute()
    numbers = (f"{base}/{n}" for n in range(1, 10_000))
    return next(Path(name) for name in numbers if not Path(name).exists())


@contextmanager
def _sftp_server(call: Call, districts: Sequence[DemoDistrict], application: DemoApplication) -> Iterator[SftpServer]:
    keys = call.home / "sftp.keys"
    create_private_folder(keys)
    accounts = [
        Account(user=g.id, password=g.password, public_keys=() if g.password else (make_key(keys / f"{g.id}_key"),))
        for g in districts
    ]
    with SftpServer(call.home / "sftp", [*accounts, application.account], keys=keys) as server:
        yield server


@contextmanager
def _dagster_daemon(call: Call, districts: Sequence[DemoDistrict], application: DemoApplication) -> Iterator[Popen[bytes]]:
    from roster_etl.orchestration.jobs.in_process_runs import home_instance

    with home_instance(call.home) as instance:  # two processes that create the same storage at once fail
        instance.get_runs_count()
    passwords = {guest.password_variable: guest.password for guest in districts if guest.password}
    environment = {**_home_variables(call), **_FAST_ENVIRONMENT, **passwords, **application.environment}
    with (
        code_server(environment, folder=call.home, log=_log_file(call)) as workspace_file,
        running_process(
            "dagster._daemon",
            ["run", "-w", str(workspace_file)],
            environment=environment,
            folder=call.home,
            log=_log_file(call),
        ) as process,
    ):
        yield process


def _home_variables(call: Call) -> dict[str, str]:
    return {"DAGSTER_HOME": str(call.home), "ROSTER_ETL_HOME": str(call.home)}


def _log_file(call: Call) -> Path:
    return call.home / "dagster.log"


class DemoRun:
    """One run of the demo, which prints each event as it happens."""

    def __init__(self, call: Call, districts: Sequence[DemoDistrict], application: DemoApplication, server: SftpServer) -> None:
        self.call, self.districts, self.application, self.server = call, districts, application, server
        self.started_at = time.monotonic()
        self.changes: dict[str, Sequence[SampleChange]] = {}
        self.second_feed = SecondFeed(district_id=districts[0].id, folder=call.home / "samples" / "platform")
        self.disagreement: dict[str, Any] = {}

    def register_districts(self) -> None:
        """Register the districts, each with its own folder on the server."""
        self.call.log(f"Everything of this demo is in {self.call.home}")
        self.log(
            f"An SFTP server listens on 127.0.0.1 port {self.server.port}; its host key is pinned in {self.server.known_hosts.name}."
        )
        for guest in self.districts:
            feed = Feed(
                format=guest.format,
                path=self.server.url(guest.id),
                known_hosts=str(self.server.known_hosts),
                options={
                    s.option(name): text for s in vendor(guest.format).format.file_sets for name, text in _FEED_OPTIONS.items()
                },
                password_env=guest.password_variable if guest.password else "",
                key_file="" if guest.password else str(self.server.keys / f"{guest.id}_key"),
            )
            self.call.registry.add(District(id=guest.id, name=guest.name, time_zone=guest.time_zone, feeds=(feed,)))
            how = "a password" if guest.password else "a key"
            self.log(
                f"{guest.name} is registered as {guest.id}, uploads {vendor(guest.format).format.title} files, and logs in with {how}."
            )

        self.application.add_destination(self.call, self.server)
        self.log(f"The roster of {self.application.district_id} is to leave for {USER}, another account, after each publish.")

    def import_first_day(self, daemon: Popen[bytes]) -> None:
        """Upload each district's files, and wait until the sensor's runs have imported them."""
        for guest in self.districts:
            files = write_sample(vendor(guest.format), self._day_folder(guest, 1), students=guest.students, seed=guest.seed)
            self._upload_files(guest, files)
        self.log("The sensor looks every few seconds, and waits until an upload has stood still.")
        self._wait_for_imports(daemon, count=1)
        self._wait_for_export(daemon, count=1)

    def import_next_day(self, daemon: Popen[bytes]) -> None:
        """Upload the next day's files, with some invalid rows, and wait again."""
        for guest in self.districts:
            self.changes[guest.id] = write_next_day(
                vendor(guest.format), self._day_folder(guest, 1), self._day_folder(guest, 2), seed=guest.seed
            )
            self._upload_files(guest, sorted(self._day_folder(guest, 2).glob("*.csv")))
        self._wait_for_imports(daemon, count=2)
        self._wait_for_export(daemon, count=2)

    def upload_truncated_roster(self, daemon: Popen[bytes]) -> None:
        """Upload files of the first district without half of the people: valid, but suspicious, so the import is held."""
        guest = self.districts[0]
        self._upload_files(
            guest,
            write_sample(
                vendor(guest.format), self._day_folder(guest, 3), students=max(10, guest.students // 2), seed=guest.seed
            ),
        )
        self._wait_for_imports(daemon, count=3, only=[stream for stream in self._district_file_sets() if stream[0] is guest])

    def compare_second_feed(self) -> None:
        """Import the first district's people as its learning platform has them, and decide where the two feeds disagree."""
        self.log(
            f"{self.districts[0].id}: its learning platform's files are imported, by command, and the two feeds are compared."
        )
        self.disagreement = self.second_feed.disagree(self.call)

    def print_summary(self, ui_command: str, *, opens_ui: bool) -> None:
        """Print the result and the commands for a closer view; `opens_ui`: the UI opens by itself."""
        first, second = ([self._import_summary(guest, name, day) for guest, name in self._district_file_sets()] for day in (0, 1))
        documents = [*first, *second]
        if self.call.json:
            self.call.print_json(
                {
                    "home": str(self.call.home),
                    "imports": documents,
                    "held": self._held_import(),
                    "exports": self.application.sent(self.call),
                    "reconciliation": self.disagreement,
                    "ui": ui_command,
                }
            )
            return
        self._print_first_day(first)
        self._print_next_day(self.districts[0], second[0])
        self._print_other_districts(second[1:])
        self._print_trace(self.districts[0], second[0])
        self.application.print_arrival(self.call, self.server, _program_command())
        self.second_feed.print_result(self.call, self.disagreement, _program_command())
        self._print_hold(self.districts[0], self._held_import())
        self.call.print("", f"More: {_program_command()} imports --home {self.call.home}   (show, trace, as-of, holds, …)")
        if not opens_ui:
            self.call.print(
                "The SFTP server and the daemon end here. The Dagster UI on all of it, with lineage, checks and history:"
            )
            self.call.print(f"  {ui_command}", f"  then http://127.0.0.1:{ui_command.rpartition(' ')[2]}")

    def log(self, text: str) -> None:
        """Print an event, with the seconds since the start."""
        self.call.log(f"[{time.monotonic() - self.started_at:4.0f} s] {text}")

    # ---- events

    def _print_first_day(self, documents: Sequence[dict[str, Any]]) -> None:
        self.call.print("", "— The first day: everything is new", "")
        self._print_imports(documents)
        self.call.print("A row can make several records: a student's is a user, a role, a profile and contacts.")

    def _print_next_day(self, district: DemoDistrict, document: dict[str, Any]) -> None:
        self.call.print("", f"— The next day of {district.name}", "", "What the district did:")
        for change in self.changes[district.id]:
            self.call.print(f"  {change.kind}: {change.count} of {change.file}: {change.what}")
        self.call.print("", "What became of it:")
        self.call.print(*indented(render_import(document), 2))

    def _print_other_districts(self, documents: Sequence[dict[str, Any]]) -> None:
        """Print a summary of the next day of the other districts; `show` prints each in full."""
        if not documents:
            return
        self.call.print("", "— The next day of the others", "")
        self._print_imports(documents)
        self.call.print("What each district did, and what was refused and why:")
        for document in documents:
            self.call.print(f"  {_program_command()} show {document['import_id']} --home {self.call.home}")

    def _print_imports(self, documents: Sequence[dict[str, Any]]) -> None:
        head = ("import", "district", "format", "status", "files", "rows", "refused", "created", "updated", "removed")
        self.call.print_table(head, [_table_row(document) for document in documents])

    def _print_trace(self, district: DemoDistrict, document: dict[str, Any]) -> None:
        key = self._changed_user_key(district, document["import_id"])
        if key is None:
            return
        words = " ".join(f"{name}={value}" for name, value in key.items())
        self.call.print(
            "",
            "— One published cell, back to where it came from",
            f"  {_program_command()} trace users {words} --district {district.id} --field last_name --home {self.call.home}",
            "",
        )
        traced = trace_record(self.call.workspace, district.id, "users", key, field="last_name")
        self.call.print(*indented(render_trace(traced), 2))

    def _held_import(self) -> dict[str, Any]:
        return self._import_summary(*self._district_file_sets()[0], 2)

    def _print_hold(self, district: DemoDistrict, document: dict[str, Any]) -> None:
        """Print the held upload, and how to decide on it."""
        number, home = document["import_id"], self.call.home
        self.call.print("", f"— The day after, {district.name} uploads files in which half of the students are missing", "")
        self.call.print(*indented(render_import_header(document), 2))
        self.call.print(
            "",
            "Nothing of it was published: it waits for you. Look at what would change, then decide:",
            f"  {_program_command()} holds show {number} --home {home}",
            f'  {_program_command()} holds approve {number} --by "Your Name" --home {home}',
            f'  {_program_command()} holds discard {number} --by "Your Name" --home {home}',
            "or in the Dagster UI: the failed run, and roster/plan, link to the jobs that approve and discard.",
        )

    def _changed_user_key(self, district: DemoDistrict, import_id: int) -> dict[str, str] | None:
        """Return the key of a user with a version that `import_id` opened, and with an earlier version."""
        from datetime import UTC, datetime

        users = self.call.warehouse.roster.as_of(datetime.now(UTC), "users", district.id, district.format).to_pylist()
        for user in (user for user in users if user["valid_from_import"] == import_id):
            key = {"user_kind": user["user_kind"], "user_id": user["user_id"]}
            if self.call.warehouse.roster.trace("users", key, district.id, district.format).num_rows > 1:
                return key
        return None

    # ---- upload and wait

    def _day_folder(self, district: DemoDistrict, day: int) -> Path:
        return self.call.home / "samples" / district.id / f"day{day}"

    def _upload_files(self, district: DemoDistrict, files: Sequence[Path]) -> None:
        key_file = None if district.password else self.server.keys / f"{district.id}_key"
        upload_files(
            files,
            user=district.id,
            port=self.server.port,
            known_hosts=self.server.known_hosts,
            password=district.password,
            key_file=key_file,
        )
        self.log(f"{district.id} uploads {', '.join(file.name for file in files)}.")

    def _district_file_sets(self) -> list[tuple[DemoDistrict, str]]:
        """Return each district with each file set of its format: every day has an import of each."""
        return [(guest, file_set.name) for guest in self.districts for file_set in vendor(guest.format).format.file_sets]

    def _imports(self, district: DemoDistrict, file_set: str) -> list[dict[str, Any]]:
        return list(reversed(self.call.warehouse.ledger.imports(district.id, district.format, file_set=file_set)))

    def _wait_for_imports(
        self, daemon: Popen[bytes], *, count: int, only: Sequence[tuple[DemoDistrict, str]] | None = None
    ) -> None:
        """Wait until each district (or those in `only`) has `count` ended imports, and print each as it ends."""
        reported: set[tuple[int, str]] = set()
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while True:
            with self.call.warehouse.read():  # one connection for all of them
                known = {(guest.id, name): self._imports(guest, name) for guest, name in only or self._district_file_sets()}
            for row in (rows[count - 1] for rows in known.values() if len(rows) >= count):
                if (row["import_id"], row["status"]) not in reported:
                    reported.add((row["import_id"], row["status"]))
                    self.log(f"{row['district_id']}: import {row['import_id']} is {row['status']}.")
            ended = all(len(rows) >= count and rows[count - 1]["status"] != "running" for rows in known.values())
            if ended and not self._has_unfinished_run():
                return
            if daemon.poll() is not None or time.monotonic() > deadline:
                what = "the Dagster daemon, which has ended" if daemon.poll() is not None else "an import of each district"
                raise DemoStuck(seconds=time.monotonic() - self.started_at, what=what, log=_log_file(self.call))
            time.sleep(_POLL_SECONDS)

    def _wait_for_export(self, daemon: Popen[bytes], *, count: int) -> None:
        """Wait until the roster was sent to the application `count` times."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while True:
            ended = [row for row in self.application.sent(self.call) if row["finished_at"] is not None]
            if len(ended) >= count and not self._has_unfinished_run():
                newest = ended[count - 1]
                self.log(
                    f"{newest['district_id']}: its roster after import {newest['as_of_import']} is {newest['status']} to {USER}."
                )
                return
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise DemoStuck(seconds=time.monotonic() - self.started_at, what=f"an export to {USER}", log=_log_file(self.call))
            time.sleep(_POLL_SECONDS)

    def _has_unfinished_run(self) -> bool:
        """Return whether a run has not finished: after publishing it still writes the report."""
        from roster_etl.orchestration.jobs.in_process_runs import home_instance
        from roster_etl.orchestration.sensors.landing_sensor import has_unfinished_run

        with home_instance(self.call.home) as instance:
            return has_unfinished_run(instance)

    def _import_summary(self, district: DemoDistrict, file_set: str, day: int) -> dict[str, Any]:
        return outcome(self.call.workspace, self._imports(district, file_set)[day]["import_id"])


def _table_row(document: dict[str, Any]) -> tuple[Any, ...]:
    ended = (document["import_id"], document["district_id"], feed_label(document), document["status"])
    changed = (sum(table[what] for table in document["changes"].values()) for what in ("created", "updated", "deleted"))
    return (*ended, len(document["files"]), _count_rows(document, "rows_read"), _count_rows(document, "rows_rejected"), *changed)


def _count_rows(document: dict[str, Any], field: str) -> int:
    return sum(file[field] or 0 for file in document["files"])


def _ui_command(call: Call, port: int) -> str:
    settings = " ".join(f"{name}={value}" for name, value in _home_variables(call).items())
    return f"{settings} {_shorter_path(_script_path('dagster-webserver'))} -w {_shorter_path(_workspace_file(call))} -h 127.0.0.1 -p {port}"


def _workspace_file(call: Call) -> Path:
    """Return the file by which Dagster loads the definitions, under the name that imports by command have in their runs."""
    from roster_etl.orchestration.runtime.home_config import ensure_config

    return ensure_config(call.home).with_name("workspace.yaml")


def _program_command() -> str:
    """Return the command with which a person runs this program: its name if it is on the PATH, else its path."""
    script = _script_path("roster-etl")
    if script.exists():
        found = shutil.which(script.name)
        return script.name if found and Path(found).samefile(script) else _shorter_path(script)
    return f"{_shorter_path(Path(sys.executable))} -m roster_etl.cli"


def _shorter_path(path: Path) -> str:
    """Return the shorter form of a path: relative to this folder, or absolute."""
    return min(os.path.relpath(path), str(path.absolute()), key=len)


def _script_path(name: str) -> Path:
    return Path(sys.executable).parent / name


def _open_ui(call: Call, stack: ExitStack, port: int) -> None:
    words = ["-h", "127.0.0.1", "-p", str(port), "-w", str(_workspace_file(call))]
    webserver = stack.enter_context(
        running_process("dagster_webserver", words, environment=_home_variables(call), folder=call.home, log=_log_file(call))
    )
    url = f"http://127.0.0.1:{port}"
    call.log(f"The Dagster UI is at {url} (it takes some seconds to start). Ctrl-C ends it all.")
    if _has_display():
        webbrowser.open(url)
    with suppress(KeyboardInterrupt):  # Ctrl-C is how a person exits
        webserver.wait()


def _has_display() -> bool:
    """Return whether a browser would open a window; a text browser would occupy the terminal."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))

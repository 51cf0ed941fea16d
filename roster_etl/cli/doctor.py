"""``doctor`` and ``migrate``: check the installation and report how to fix it; migrate the warehouse."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from roster_etl.cli.context import Call
from roster_etl.cli.districts import freshness_by_feed
from roster_etl.cli.errors import failure_of
from roster_etl.cli.exit_codes import FAILED
from roster_etl.cli.options import DistrictFilter
from roster_etl.pipeline.maintenance.migrate import migrate_warehouse
from roster_etl.pipeline.reporting.receipts.issue import keys_of_chains
from roster_etl.spec.errors import RosterError
from roster_etl.spec.options import resolve_options
from roster_etl.spec.replacements import check_replacements
from roster_etl.store.archive import Archive
from roster_etl.store.fault_injection import VARIABLE, configured_fault
from roster_etl.store.files.folder import Folder
from roster_etl.store.files.urls import local_path, redact
from roster_etl.store.home_integrity import TRUST_VARIABLE, find_open_parents, find_unsafe_paths
from roster_etl.store.landing.open import open_landing
from roster_etl.store.migrations import HEAD
from roster_etl.store.outbox.openlineage import lineage_transport
from roster_etl.store.outbox.smtp import Mailer
from roster_etl.store.outbox.webhook import webhook_url
from roster_etl.store.registry.registry import District, Feed
from roster_etl.store.settings import landing_folder, require_home
from roster_etl.store.signing_keys import KeyFolder
from roster_etl.vendors import vendor

_HEARTBEAT_TIMEOUT_SECONDS = 300
_MIN_FREE_BYTES = 2_000_000_000  # bytes: the space for importing a few large uploads
_MAX_HOLD_AGE = timedelta(days=14)
_SQLITE = "sqlite:///"
_REPORTING_FOLDERS = ("reports", "outbox", "history", "storage", "schedules")  # reports and Dagster's own storage


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """The result of one check. ``found``: what was found, or what is wrong and how to fix it."""

    what: str
    ok: bool
    found: str


def doctor(call: Call, district: DistrictFilter = None) -> int:
    """Check settings, warehouse, archive, districts and landing zones; report what is wrong and what to do."""
    require_home(call.home)
    results: list[HealthCheck] = []
    for result in deduplicate(run_health_checks(call, district)):
        results.append(result)
        if not call.json:
            call.print(f"{'ok   ' if result.ok else 'WRONG'}  {result.what}: {result.found}")
    if call.json:
        call.print_json([asdict(result) for result in results])
    return 0 if all(result.ok for result in results) else FAILED


def migrate(
    call: Call,
    reader: Annotated[str | None, typer.Option("--reader", metavar="NAME", help="Let this role of PostgreSQL read.")] = None,
    loader: Annotated[str | None, typer.Option("--loader", metavar="NAME", help="Let this role of PostgreSQL import.")] = None,
) -> int:
    """Migrate the warehouse to this version's schema, as its owner; grant roles the right to read it, or to import."""
    call.creates_home = True
    if reader or loader:  # first: an invalid role name must not migrate anything
        call.warehouse.check_roles(reader=reader, loader=loader)
    before = migrate_warehouse(call.workspace)
    granted = call.warehouse.grant(reader=reader, loader=loader) if reader or loader else ()
    now = f"has this version's schema now ({HEAD}; before: {before or 'none'})"
    moved = "had this version's schema already" if before == HEAD else now
    lines = [f"{call.warehouse.url} {moved}."]
    document = {"warehouse": call.warehouse.url, "before": before, "now": HEAD, "granted": granted}
    return call.show_result(document, *lines, *(f"{statement};" for statement in granted))


def run_health_checks(call: Call, district_id: str | None) -> Iterator[HealthCheck]:
    """Yield the results of all checks, one after the other; a failed check does not stop the next."""
    yield _run_check("settings", lambda: f"home {call.settings.home}")
    yield _run_check("home", lambda: _check_file_permissions(call))
    yield _run_check("integrity", lambda: _check_integrity(call))
    yield _run_check("faults", _check_fault_injection)
    yield _run_check("warehouse", lambda: _check_warehouse(call))
    yield _run_check("imports", lambda: _check_imports(call))
    yield _run_check("archive", lambda: _check_archive(call))
    yield _run_check("disk", lambda: _check_disk(call))
    yield _run_check("holds", lambda: _check_holds(call))
    yield _run_check("staging", lambda: _check_staging(call))
    yield _run_check("retention", lambda: _check_retention(call))
    yield _run_check("dagster storage", lambda: _check_dagster_storage(call))
    yield _run_check("executor", lambda: _check_executor(call))
    yield _run_check("daemon", lambda: _check_daemon(call))
    yield _run_check("mail", lambda: _check_mail(call))
    yield _run_check("alerts", lambda: _check_alerts(call))
    yield _run_check("openlineage", lambda: _check_openlineage(call))
    yield _run_check("outbox", lambda: _check_outbox(call))
    yield _run_check("receipts", lambda: _check_receipts(call))
    if district_id is not None:
        districts: list[District] = [call.registry.get(district_id)]
    else:
        scan = call.registry.scan()
        districts = list(scan.districts)
        yield from (HealthCheck(what=f"districts/{name}", ok=False, found=problem) for name, problem in scan.problems.items())
        yield HealthCheck(what="districts", ok=True, found=f"{len(districts)} registered")
    for found in districts:
        for feed in found.feeds:
            yield _run_check(f"{found.id}/{feed.format} options", _options_check(found, feed))
            yield _run_check(f"{found.id}/{feed.format} landing", _landing_check(call, found, feed))
            if feed.expected_by:
                yield _run_check(f"{found.id}/{feed.format} freshness", _freshness_check(call, found, feed))


def deduplicate(results: Iterable[HealthCheck]) -> Iterator[HealthCheck]:
    """Yield `results`; a problem with the same cause is described once, and later results refer to it."""
    first: dict[str, str] = {}
    for result in results:
        if result.ok:
            yield result
            continue
        shown = first.setdefault(result.found, result.what)
        found = result.found.removeprefix(f"{shown}: ") if shown == result.what else f"cannot be checked: see {shown}"
        yield replace(result, found=found)


def _run_check(name: str, check: Callable[[], str]) -> HealthCheck:
    try:
        return HealthCheck(what=name, ok=True, found=check())
    except Exception as error:  # noqa: BLE001 - any error is reported as the result of its check, and the next check runs
        return HealthCheck(what=name, ok=False, found=failure_of(error).message)


class HealthProblem(RosterError):
    """A problem that a person should fix."""

    code = "wrong"


def _check_fault_injection() -> str:
    if fault := configured_fault():
        raise HealthProblem(f"{VARIABLE} is set: a process that reaches {fault.point} will {fault.action}; unset it")
    return "none is put in"


def _check_file_permissions(call: Call) -> str:
    """Check whether other users can read personal data; the home itself may be a folder of a checkout."""
    home = call.settings.home
    shut = home.stat().st_mode & 0o077 == 0
    held = [path for path in _personal_data_paths(call) if path.exists() and not (shut and path.is_relative_to(home))]
    open_ = [path for path in held if path.stat().st_mode & 0o077]
    if open_:
        raise HealthProblem(
            f"others can look into {', '.join(map(str, open_))}; run `chmod go= …` on it: personal data rests there"
        )
    return f"only its owner can look into {'it' if shut else 'what holds personal data'}"


def _check_integrity(call: Call) -> str:
    """Check whether other users can change what this home imports, or where it writes."""
    if problems := [*find_unsafe_paths(call.settings), *find_open_parents(call.settings)]:
        raise HealthProblem("; ".join(problems))
    if os.environ.get(TRUST_VARIABLE) == "1":
        return f"modes and owners are not checked: {TRUST_VARIABLE} is set"
    return "only its owner can change its settings, its registry and its suites"


def _personal_data_paths(call: Call) -> list[Path]:
    """Return the paths on this machine's disks that may hold personal data, or refer to it."""
    settings = call.settings
    database = Path(settings.warehouse.removeprefix(_SQLITE)) if settings.warehouse.startswith(_SQLITE) else None
    places = (
        database,
        local_path(settings.archive),
        local_path(settings.staging),
        *(settings.home / name for name in _REPORTING_FOLDERS),
    )
    return [path for path in places if path is not None]


def _check_warehouse(call: Call) -> str:
    if call.warehouse.is_open_to_the_network:
        raise HealthProblem(
            f"{call.warehouse.url} is reached over a network, and its URL does not require TLS: add sslmode=verify-full and sslrootcert=FILE"
        )
    newest = call.warehouse.ledger.imports(limit=1)
    last = f"last import {newest[0]['import_id']}, {newest[0]['status']}" if newest else "no import yet"
    return f"{call.warehouse.url}, schema {HEAD}, {last}"


def _check_imports(call: Call) -> str:
    """Report imports that are recorded as running although no process of this home works on them."""
    from roster_etl.orchestration.runtime.executors import IN_PROCESS, executor_name

    running = [row["import_id"] for row in call.warehouse.ledger.imports(status="running")]
    left = [number for number in running if not call.workspace.import_locks.is_locked(number)]
    if left and executor_name() != IN_PROCESS:
        return f"{len(running)} running; Dagster's run list shows those of the cluster"
    if left:
        numbers = ", ".join(map(str, left))
        raise HealthProblem(
            f"running, but no process of this home works on them: {numbers}. The next import of the same feed ends them as failed, unless "
            "they belong to another home with this warehouse"
        )
    return f"{len(running)} running" if running else "none is running"


def _check_archive(call: Call) -> str:
    for place in (call.settings.archive, call.settings.staging):
        Folder(place).probe()
    archive = Archive(call.settings.archive)
    if unfinished := archive.pending_removals():
        raise HealthProblem(f"a purge of {', '.join(unfinished)} did not come to its end, so bytes may be left: run it again")
    kept = sum(len(archive.manifests(district_id)) for district_id in call.registry.ids())
    return f"{redact(call.settings.archive)}, {kept} uploads kept"


def _check_disk(call: Call) -> str:
    """Report the free space on the disks of uploads, staging and, by default, everything else."""
    usage = shutil.disk_usage(call.settings.home)
    free = f"{usage.free / 1e9:,.1f} GB of {usage.total / 1e9:,.1f} GB free"
    if usage.free < _MIN_FREE_BYTES:
        raise HealthProblem(f"{free}: an import may not find room for its frames; make room, or shorten [retention]")
    return free


def _check_holds(call: Call) -> str:
    """Report plans that wait for a decision, and those that have waited long."""
    holds = call.warehouse.ledger.holds()
    before = datetime.now(UTC) - _MAX_HOLD_AGE
    if old := sorted(row["import_id"] for row in holds if row["created_at"] < before):
        numbers = ", ".join(map(str, old[:10]))
        raise HealthProblem(
            f"{len(old)} of {len(holds)} have waited for more than {_MAX_HOLD_AGE.days} days: {numbers}; `roster-etl holds approve` or `discard`"
        )
    return f"{len(holds)} wait for a decision" if holds else "none is open"


def _check_staging(call: Call) -> str:
    kept = call.workspace.frames.imports_by_district()
    return f"frames of {sum(map(len, kept.values()))} imports of {len(kept)} districts"


def _check_retention(call: Call) -> str:
    return ", ".join(f"{name} {text}" for name, text in vars(call.settings.retention).items())


def _check_dagster_storage(call: Call) -> str:
    """Report where Dagster stores runs and events, and whether it is usable."""
    from roster_etl.orchestration.runtime.dagster_storage import describe_storage

    if not (call.settings.home / "dagster.yaml").exists():
        return "none yet: the home has no dagster.yaml"
    return describe_storage(call.settings.home)


def _check_executor(call: Call) -> str:
    """Report the executor of runs' steps; for a cluster also whether its hosts share what they must, and which ones answer."""
    from roster_etl.orchestration.runtime.executors import IN_PROCESS, executor, executor_name

    name = executor_name()
    if name == IN_PROCESS:
        return "steps are done in the process of their run"
    executor()
    if call.settings.warehouse.startswith(_SQLITE):
        raise HealthProblem(f"{name}: the warehouse is a file of this host; a cluster shares one on PostgreSQL")
    places = [place for place in ("archive", "staging", "districts") if local_path(getattr(call.settings, place)) is not None]
    mounted = f"; every host must have mounted the same folders: {', '.join(places)}" if places else ""
    if name != "celery":
        return f"{name}{mounted}"
    from roster_etl.orchestration.runtime.celery_executor import ping_workers

    workers, where = ping_workers()
    if not workers:
        raise HealthProblem(
            f"no worker answers at {where}; start one: `celery -A roster_etl.orchestration.runtime.celery_executor worker`"
        )
    return f"celery at {where}, workers: {', '.join(workers)}{mounted}"


def _check_daemon(call: Call) -> str:
    """Report whether Dagster's daemon is alive, from its own storage in the home."""
    watched = [
        f"{d.id}/{feed.format}"
        for d in call.registry.scan().districts
        for feed in d.feeds
        if _landing_folder(call, d, feed) and not d.pause_reason(feed.format, datetime.now(UTC))
    ]
    if not watched:
        return "not needed: no district has a landing folder"
    from roster_etl.orchestration.runtime.dagster_storage import open_instance

    if not (call.settings.home / "dagster.yaml").exists():
        raise HealthProblem(f"no sensor watches {len(watched)} landing folders: {call.settings.home} has no dagster.yaml")
    with open_instance(call.settings.home) as instance:
        beats = [beat.timestamp for beat in instance.get_daemon_heartbeats().values()]
    age = datetime.now(UTC).timestamp() - max(beats, default=0.0)
    if age > _HEARTBEAT_TIMEOUT_SECONDS:
        last = f"the last sign of life is {age / 60:.0f} minutes old" if beats else "it never ran in this home"
        raise HealthProblem(
            f"no sensor watches {len(watched)} landing folders: {last}; start it with `dagster-daemon run -w {call.settings.home}/workspace.yaml`, or `dagster dev`"
        )
    return f"alive {age:.0f} seconds ago, watching {len(watched)} landing folders"


def _check_mail(call: Call) -> str:
    """Log in to the mail server, if there is one; report contacts that get no mail."""
    if not call.settings.mail.host:
        districts = [d.id for d in call.registry.scan().districts if d.contacts or any(feed.contacts for feed in d.feeds)]
        return (
            f"none is sent: [mail] has no host; {len(districts)} districts have contacts"
            if districts
            else "none is sent: no contacts"
        )
    with Mailer(call.settings.mail) as mailer:
        return f"{mailer.check()} lets us in"


def _check_openlineage(call: Call) -> str:
    """Check that events could be sent: the extra is installed, and the key can be read."""
    settings = call.settings.openlineage
    if not settings.url:
        return "no events are emitted: [openlineage] has no url"
    lineage_transport(settings).close()
    return f"events go to {redact(settings.url)}"


def _check_alerts(call: Call) -> str:
    if not call.settings.alerts.is_enabled:
        return "none are sent: [alerts] names no webhook"
    webhook_url(call.settings.alerts)
    return f"sent on {', '.join(call.settings.alerts.on)}"


def _check_outbox(call: Call) -> str:
    outbox = call.workspace.outbox
    if damaged := outbox.damaged_files():
        raise HealthProblem(f"{', '.join(damaged)} in the outbox cannot be read; remove it")
    messages = outbox.messages()
    if parked := [message for message in messages if message.parked]:
        raise HealthProblem(
            f"{len(parked)} messages are dead-lettered ({parked[0].problem}); `roster-etl outbox list`, then `outbox send` or `discard`"
        )
    return f"{len(messages)} messages wait" if messages else "empty"


def _check_receipts(call: Call) -> str:
    """Report whether imports get receipts, whether their key can be used, and receipts that could not be signed."""
    folder, known = KeyFolder(call.settings), keys_of_chains(call.warehouse)
    if not folder.is_enabled and known:
        raise HealthProblem(f"none is made: {_signed_with(known)}, which is not in this home; put its keys/ back")
    if not folder.is_enabled:
        return "off: this home has no key for them; `roster-etl keys init` makes one"
    keys = folder.load()
    if keys.next is not None:
        raise HealthProblem("a change of the key did not come to its end; run `roster-etl keys rotate` again")
    if others := {keyid: feeds for keyid, feeds in known.items() if keyid != keys.current.keyid}:
        raise HealthProblem(
            f"this home has key {keys.current.keyid[:12]}, and {_signed_with(others)}; put that key back, or hand out both public keys"
        )
    with call.warehouse.read_receipts() as receipts:
        unsigned = receipts.unsigned_count()
    if unsigned:
        raise HealthProblem(f"{unsigned} are not signed; `roster-etl receipts sign` signs them")
    return f"signed with key {keys.current.keyid[:12]}"


def _signed_with(keys: Mapping[str, int]) -> str:
    return ", ".join(f"receipts of {feeds} feeds are signed with key {keyid[:12]}" for keyid, feeds in sorted(keys.items()))


def _freshness_check(call: Call, district: District, feed: Feed) -> Callable[[], str]:
    def check() -> str:
        found = freshness_by_feed(call, [district])[f"{district.id}/{feed.format}"]
        if found.state == "late":
            raise HealthProblem(f"late: {found.text}")
        return found.text

    return check


def _landing_folder(call: Call, district: District, feed: Feed) -> str:
    return landing_folder(call.settings, district.id, feed.path)


def _options_check(district: District, feed: Feed) -> Callable[[], str]:
    def check() -> str:
        format_ = vendor(feed.format).format
        resolve_options(format_, feed.options)
        for window in district.calendar:  # all windows, also future ones: no import validates them before their first day
            if not window.feeds or feed.format in window.feeds:
                resolve_options(format_, feed.options, window.options)
        check_replacements(format_, feed.replacements)
        rules = [f"{len(codes)} replacements for {column}" for column, codes in feed.replacements.items()]
        return ", ".join([*(f"{name}={text}" for name, text in feed.options.items()), *rules]) or "defaults"

    return check


def _landing_check(call: Call, district: District, feed: Feed) -> Callable[[], str]:
    def check() -> str:
        if not _landing_folder(call, district, feed):
            return "not watched: it has no landing folder; its uploads are imported by command"
        with open_landing(district.id, feed, call.settings) as landing:
            names = {entry.name.casefold() for entry in landing.listing() if entry.regular}
        format_ = vendor(feed.format).format
        required = [file.file_name for file in format_.for_file_set(format_.file_sets[0].name).files if file.required]
        missing = [name for name in required if name.casefold() not in names]
        waits = f"; not there yet: {', '.join(missing)}" if missing else "; all required files are there"
        return f"{landing.where}, {len(names)} files{waits}"

    return check

"""``doctor`` and ``migrate``: is everything in place, and what to do where it is not."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from roster_etl.cli.context import Call
from roster_etl.cli.districts import stands
from roster_etl.cli.errors import FAILED, failure_of
from roster_etl.cli.options import MaybeDistrict
from roster_etl.pipeline.maintenance.migrate import upgrade
from roster_etl.spec.errors import RosterError
from roster_etl.spec.options import resolve
from roster_etl.spec.replacements import check_replacements
from roster_etl.store.archive import Archive
from roster_etl.store.fault_injection import VARIABLE, armed
from roster_etl.store.files.folder import Folder
from roster_etl.store.files.urls import local_path, redact
from roster_etl.store.landing.open import open_landing
from roster_etl.store.migrations import HEAD
from roster_etl.store.outbox.smtp import Mailer
from roster_etl.store.outbox.webhook import webhook_url
from roster_etl.store.registry.registry import District, Feed
from roster_etl.store.settings import landing_folder
from roster_etl.vendors import vendor

_ALIVE_SECONDS = 300
_ROOM = 2_000_000_000  # bytes: what a few large uploads take while they are imported
_LONG = timedelta(days=14)
_SQLITE = "sqlite:///"
_TOLD = ("reports", "outbox", "history", "storage", "schedules")  # reports and Dagster's own storage


@dataclass(frozen=True, kw_only=True)
class Examined:
    """One thing that was looked at. ``found``: what was seen, or what is wrong and what to do."""

    what: str
    ok: bool
    found: str


def doctor(ctx: typer.Context, district: MaybeDistrict = None) -> int:
    """Look at settings, warehouse, archive, districts and landing zones; say what is wrong and what to do."""
    call: Call = ctx.obj
    results: list[Examined] = []
    for result in told_once(examine(call, district)):
        results.append(result)
        if not call.json:
            call.print(f"{'ok   ' if result.ok else 'WRONG'}  {result.what}: {result.found}")
    if call.json:
        call.document([asdict(result) for result in results])
    return 0 if all(result.ok for result in results) else FAILED


def migrate(
    ctx: typer.Context,
    reader: Annotated[str | None, typer.Option("--reader", metavar="NAME", help="Let this role of PostgreSQL read.")] = None,
    loader: Annotated[str | None, typer.Option("--loader", metavar="NAME", help="Let this role of PostgreSQL import.")] = None,
) -> int:
    """Bring the warehouse to this version's schema, as its owner; say who may read it, and who import."""
    call: Call = ctx.obj
    if reader or loader:  # first: a slip of the pen is no reason to migrate
        call.warehouse.check_roles(reader=reader, loader=loader)
    before = upgrade(call.workspace)
    granted = call.warehouse.grant(reader=reader, loader=loader) if reader or loader else ()
    now = f"has this version's schema now ({HEAD}; before: {before or 'none'})"
    moved = "had this version's schema already" if before == HEAD else now
    lines = [f"{call.warehouse.url} {moved}."]
    document = {"warehouse": call.warehouse.url, "before": before, "now": HEAD, "granted": granted}
    return call.show_result(document, *lines, *(f"{statement};" for statement in granted))


def examine(call: Call, district_id: str | None) -> Iterator[Examined]:
    """Yield what is found, one thing after the other; a thing that is wrong does not stop the next."""
    yield _looked("settings", lambda: f"home {call.settings.home}")
    yield _looked("home", lambda: _private(call))
    yield _looked("faults", _faults)
    yield _looked("warehouse", lambda: _warehouse(call))
    yield _looked("imports", lambda: _imports(call))
    yield _looked("archive", lambda: _archive(call))
    yield _looked("disk", lambda: _disk(call))
    yield _looked("holds", lambda: _holds(call))
    yield _looked("staging", lambda: _staging(call))
    yield _looked("retention", lambda: _retention(call))
    yield _looked("dagster storage", lambda: _storage(call))
    yield _looked("executor", lambda: _executor(call))
    yield _looked("daemon", lambda: _daemon(call))
    yield _looked("mail", lambda: _mail(call))
    yield _looked("alerts", lambda: _alerts(call))
    yield _looked("outbox", lambda: _outbox(call))
    if district_id is not None:
        districts: list[District] = [call.registry.get(district_id)]
    else:
        scan = call.registry.scan()
        districts = list(scan.districts)
        yield from (Examined(what=f"districts/{name}", ok=False, found=problem) for name, problem in scan.problems.items())
        yield Examined(what="districts", ok=True, found=f"{len(districts)} registered")
    for found in districts:
        for feed in found.feeds:
            yield _looked(f"{found.id}/{feed.format} options", _options(found, feed))
            yield _looked(f"{found.id}/{feed.format} landing", _landing(call, found, feed))
            if feed.expected_by:
                yield _looked(f"{found.id}/{feed.format} freshness", _fresh(call, found, feed))


def told_once(results: Iterable[Examined]) -> Iterator[Examined]:
    """Yield `results`; what is wrong with several things is told of the first, and the others lead there."""
    first: dict[str, str] = {}
    for result in results:
        if result.ok:
            yield result
            continue
        told = first.setdefault(result.found, result.what)
        found = result.found.removeprefix(f"{told}: ") if told == result.what else f"cannot be looked at: see {told}"
        yield replace(result, found=found)


def _looked(what: str, look: Callable[[], str]) -> Examined:
    try:
        return Examined(what=what, ok=True, found=look())
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one thing is told, and the next is looked at
        return Examined(what=what, ok=False, found=failure_of(error).message)


class Wrong(RosterError):
    """Something that a person should change."""

    code = "wrong"


def _faults() -> str:
    if fault := armed():
        raise Wrong(f"{VARIABLE} is set: a process that comes by {fault.point} is told to {fault.action}; unset it")
    return "none is put in"


def _private(call: Call) -> str:
    """Tell whether others can read what holds personal data; the home itself may be a folder of a checkout."""
    home = call.settings.home
    shut = home.stat().st_mode & 0o077 == 0
    held = [path for path in _personal(call) if path.exists() and not (shut and path.is_relative_to(home))]
    open_ = [path for path in held if path.stat().st_mode & 0o077]
    if open_:
        raise Wrong(f"others can look into {', '.join(map(str, open_))}; run `chmod go= …` on it: personal data rests there")
    return f"only its owner can look into {'it' if shut else 'what holds personal data'}"


def _personal(call: Call) -> list[Path]:
    """Return what may hold personal data, or tell of it, on this machine's disks."""
    settings = call.settings
    database = Path(settings.warehouse.removeprefix(_SQLITE)) if settings.warehouse.startswith(_SQLITE) else None
    places = (database, local_path(settings.archive), local_path(settings.staging), *(settings.home / name for name in _TOLD))
    return [path for path in places if path is not None]


def _warehouse(call: Call) -> str:
    if call.warehouse.is_open_to_the_network:
        raise Wrong(
            f"{call.warehouse.url} is reached over a network, and its URL does not demand TLS: add sslmode=verify-full and sslrootcert=FILE"
        )
    newest = call.warehouse.imports(limit=1)
    last = f"last import {newest[0]['import_id']}, {newest[0]['status']}" if newest else "no import yet"
    return f"{call.warehouse.url}, schema {HEAD}, {last}"


def _imports(call: Call) -> str:
    """Tell of imports that are said to be running, and that no process of this home works on."""
    from roster_etl.orchestration.runtime.executors import IN_PROCESS, chosen

    running = [row["import_id"] for row in call.warehouse.imports(status="running")]
    left = [number for number in running if not call.workspace.holders.held(number)]
    if left and chosen() != IN_PROCESS:
        return f"{len(running)} running; who works on those of the cluster, Dagster's runs tell"
    if left:
        numbers = ", ".join(map(str, left))
        raise Wrong(
            f"running, but no process of this home works on them: {numbers}. The next import of the same feed ends them as failed, unless "
            "they belong to another home with this warehouse"
        )
    return f"{len(running)} running" if running else "none is running"


def _archive(call: Call) -> str:
    for place in (call.settings.archive, call.settings.staging):
        Folder(place).probe()
    archive = Archive(call.settings.archive)
    if unfinished := archive.removals():
        raise Wrong(f"a purge of {', '.join(unfinished)} did not come to its end, so bytes may be left: run it again")
    kept = sum(len(archive.manifests(district_id)) for district_id in call.registry.ids())
    return f"{redact(call.settings.archive)}, {kept} uploads kept"


def _disk(call: Call) -> str:
    """Tell how much room there is where uploads, frames and, by default, everything else is written."""
    usage = shutil.disk_usage(call.settings.home)
    free = f"{usage.free / 1e9:,.1f} GB of {usage.total / 1e9:,.1f} GB free"
    if usage.free < _ROOM:
        raise Wrong(f"{free}: an import may not find room for its frames; make room, or shorten [retention]")
    return free


def _holds(call: Call) -> str:
    """Tell of plans that wait for a person, and of those that have waited long."""
    holds = call.warehouse.holds()
    before = datetime.now(UTC) - _LONG
    if old := sorted(row["import_id"] for row in holds if row["created_at"] < before):
        numbers = ", ".join(map(str, old[:10]))
        raise Wrong(
            f"{len(old)} of {len(holds)} have waited for more than {_LONG.days} days: {numbers}; `roster-etl holds approve` or `discard`"
        )
    return f"{len(holds)} wait for a decision" if holds else "none is open"


def _staging(call: Call) -> str:
    kept = call.workspace.frames.kept()
    return f"frames of {sum(map(len, kept.values()))} imports of {len(kept)} districts"


def _retention(call: Call) -> str:
    return ", ".join(f"{name} {text}" for name, text in vars(call.settings.retention).items())


def _storage(call: Call) -> str:
    """Tell where Dagster keeps runs and events, and whether it can."""
    from roster_etl.orchestration.runtime.dagster_storage import described

    if not (call.settings.home / "dagster.yaml").exists():
        return "none yet: the home has no dagster.yaml"
    return described(call.settings.home)


def _executor(call: Call) -> str:
    """Tell where the steps of runs are done; of a cluster also whether its hosts share what they must, and who answers."""
    from roster_etl.orchestration.runtime.executors import IN_PROCESS, chosen, executor

    name = chosen()
    if name == IN_PROCESS:
        return "steps are done in the process of their run"
    executor()
    if call.settings.warehouse.startswith(_SQLITE):
        raise Wrong(f"{name}: the warehouse is a file of this host; a cluster shares one on PostgreSQL")
    places = [place for place in ("archive", "staging", "districts") if local_path(getattr(call.settings, place)) is not None]
    mounted = f"; every host must have mounted the same folders: {', '.join(places)}" if places else ""
    if name != "celery":
        return f"{name}{mounted}"
    from roster_etl.orchestration.runtime.celery_executor import answering

    workers, where = answering()
    if not workers:
        raise Wrong(
            f"no worker answers at {where}; start one: `celery -A roster_etl.orchestration.runtime.celery_executor worker`"
        )
    return f"celery at {where}, workers: {', '.join(workers)}{mounted}"


def _daemon(call: Call) -> str:
    """Tell whether Dagster's daemon is alive, from its own storage in the home."""
    watched = [
        f"{d.id}/{feed.format}"
        for d in call.registry.scan().districts
        for feed in d.feeds
        if _folder(call, d, feed) and not d.pause_of(feed.format, datetime.now(UTC))
    ]
    if not watched:
        return "not needed: no district has a landing folder"
    from roster_etl.orchestration.runtime.dagster_storage import opened

    if not (call.settings.home / "dagster.yaml").exists():
        raise Wrong(f"{len(watched)} landing folders are watched by nobody: {call.settings.home} has no dagster.yaml")
    with opened(call.settings.home) as instance:
        beats = [beat.timestamp for beat in instance.get_daemon_heartbeats().values()]
    age = datetime.now(UTC).timestamp() - max(beats, default=0.0)
    if age > _ALIVE_SECONDS:
        last = f"the last sign of life is {age / 60:.0f} minutes old" if beats else "it never ran in this home"
        raise Wrong(
            f"{len(watched)} landing folders are watched by nobody: {last}; start it with `dagster dev` or `dagster-daemon run`"
        )
    return f"alive {age:.0f} seconds ago, watching {len(watched)} landing folders"


def _mail(call: Call) -> str:
    """Log in to the mail server, where there is one; tell of contacts that get no mail."""
    if not call.settings.mail.host:
        told = [d.id for d in call.registry.scan().districts if d.contacts or any(feed.contacts for feed in d.feeds)]
        return (
            f"none is sent: [mail] has no host; {len(told)} districts have contacts" if told else "none is sent, nobody wants any"
        )
    with Mailer(call.settings.mail) as mailer:
        return f"{mailer.check()} lets us in"


def _alerts(call: Call) -> str:
    if not call.settings.alerts.wanted:
        return "none are sent: [alerts] names no webhook"
    webhook_url(call.settings.alerts)
    return f"sent on {', '.join(call.settings.alerts.on)}"


def _outbox(call: Call) -> str:
    outbox = call.workspace.outbox
    if damaged := outbox.damaged():
        raise Wrong(f"{', '.join(damaged)} in the outbox cannot be read; remove it")
    messages = outbox.messages()
    if parked := [message for message in messages if message.parked]:
        raise Wrong(
            f"{len(parked)} messages are parked ({parked[0].problem}); `roster-etl outbox list`, then `outbox send` or `discard`"
        )
    return f"{len(messages)} messages wait" if messages else "empty"


def _fresh(call: Call, district: District, feed: Feed) -> Callable[[], str]:
    def look() -> str:
        found = stands(call, [district])[f"{district.id}/{feed.format}"]
        if found.state == "late":
            raise Wrong(f"late: {found.text}")
        return found.text

    return look


def _folder(call: Call, district: District, feed: Feed) -> str:
    return landing_folder(call.settings, district.id, feed.path)


def _options(district: District, feed: Feed) -> Callable[[], str]:
    def look() -> str:
        format_ = vendor(feed.format).format
        resolve(format_, feed.options)
        for window in district.calendar:  # those of next summer too: no import looks at them before that day
            if not window.feeds or feed.format in window.feeds:
                resolve(format_, feed.options, window.options)
        check_replacements(format_, feed.replacements)
        rules = [f"{len(codes)} replacements for {column}" for column, codes in feed.replacements.items()]
        return ", ".join([*(f"{name}={text}" for name, text in feed.options.items()), *rules]) or "defaults"

    return look


def _landing(call: Call, district: District, feed: Feed) -> Callable[[], str]:
    def look() -> str:
        if not _folder(call, district, feed):
            return "not watched: it has no landing folder; its uploads are imported by command"
        with open_landing(district.id, feed, call.settings) as landing:
            names = {entry.name.casefold() for entry in landing.listing() if entry.regular}
        format_ = vendor(feed.format).format
        required = [file.file_name for file in format_.of_set(format_.file_sets[0].name).files if file.required]
        missing = [name for name in required if name.casefold() not in names]
        waits = f"; not there yet: {', '.join(missing)}" if missing else "; all required files are there"
        return f"{landing.where}, {len(names)} files{waits}"

    return look

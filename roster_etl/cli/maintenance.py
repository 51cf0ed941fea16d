"""``rebuild``, ``purge``, ``backup``, ``restore``, ``sweep``: maintenance of the warehouse and the home."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from roster_etl.cli.context import Call
from roster_etl.cli.exit_codes import FAILED
from roster_etl.cli.global_options import UsageError
from roster_etl.cli.options import DecidedBy, DistrictOption, check_place
from roster_etl.cli.times import parse_age
from roster_etl.engine.reconcile.person_groups import PersonRecord
from roster_etl.pipeline.maintenance.backup import (
    REPLACE_HINT,
    BackupTargetNotEmpty,
    HomeContents,
    back_up,
    home_contents,
    verify_backup,
)
from roster_etl.pipeline.maintenance.backup import restore as bring_back
from roster_etl.pipeline.maintenance.purge import PurgeResult, PurgeTarget, preview_purge
from roster_etl.pipeline.maintenance.purge import purge as remove_for_good
from roster_etl.pipeline.maintenance.rebuild import rebuild_district as replay
from roster_etl.pipeline.reconciliation.people import same_person
from roster_etl.pipeline.review.approve import validate_decider
from roster_etl.store.warehouse import BadWarehouseUrl


def rebuild(
    call: Call,
    district: DistrictOption,
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="URL", callback=check_place, help="The target warehouse; it must have no import of the district."
        ),
    ],
) -> int:
    """Replay a district's archive into an empty warehouse: same roster, same history."""
    total = len(call.workspace.archive.manifests(district))
    with call.progress(total, f"rebuild {district}") as progress:
        try:
            rebuilt = replay(call.workspace, district, to, progress)
        except BadWarehouseUrl as error:
            raise UsageError(
                problem=f"--to: {error.data['problem']}; use sqlite:///FILE or postgresql://…", code=error.code
            ) from None
    text = f"{district}: {rebuilt.imports:,} imports replayed, {rebuilt.published:,} of them published."
    call.show_result(asdict(rebuilt), text)
    if rebuilt.differs:
        numbers = ", ".join(str(number) for number in rebuilt.differs)
        call.log(
            f"roster-etl: imports {numbers} plan something else now than they did then: rules or mappings have changed since"
        )
        return FAILED
    return 0


DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count what it would do; nothing is changed.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking; needed where no terminal can be asked.")]


def purge(  # noqa: PLR0917 - typer's arguments are positional
    call: Call,
    district: DistrictOption,
    by: DecidedBy,
    user: Annotated[str | None, typer.Option("--user", metavar="KIND:ID", help="Only this user, such as student:1001.")] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="AGE", help="Only what ended longer ago, such as 730d.")
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> int:
    """Remove personal data for good, from roster, history, quarantine, archive, staging and reports; this cannot be undone.

    It asks for the district's id on a terminal, and needs --yes elsewhere. --dry-run counts what would be removed.
    """
    target, decider = _purge_target(district, user, older_than), validate_decider(by)
    linked = _linked(call, target)
    others = {"same_person": [record._asdict() for record in linked]}
    if dry_run or not yes:
        found = preview_purge(call.workspace, target, by=decider)
        lines = [*_purge_lines(found, "would be "), *_linked_lines(linked)]
        if dry_run:
            return call.show_result({**asdict(found), **others, "dry_run": True}, *lines, "Nothing was changed.")
        call.confirm(district, f"This cannot be undone. Type the district's id, {district}, to remove it", *lines)
    purged = remove_for_good(call.workspace, target, by=decider)
    return call.show_result({**asdict(purged), **others}, *_purge_lines(purged, ""), *_linked_lines(linked))


def _linked(call: Call, target: PurgeTarget) -> list[PersonRecord]:
    """Return the records that are the same person as the one who is purged, and are not purged with them."""
    if target.person is None:
        return []
    with call.workspace.warehouse.read_people() as session:
        return same_person(session, target.district_id, target.person)


def _linked_lines(records: Sequence[PersonRecord]) -> list[str]:
    if not records:
        return []
    named = ", ".join(":".join(record) for record in records)
    users = " ".join(f"--user {kind}:{user_id}" for kind, user_id in sorted({record[1:] for record in records}))
    return [f"By their links these records are the same person, and they stay: {named}. Purge each of them as well ({users})."]


def _purge_lines(purged: PurgeResult, would: str) -> list[str]:
    rows = sum(purged.versions.values())
    lines = [
        f"{purged.district_id}: {rows:,} versions {would}removed, {purged.files:,} archived files {would}rewritten or removed."
    ]
    if purged.holds:
        numbers = ", ".join(map(str, purged.holds))
        lines.append(
            f"No decision would be possible any more, as the plan was made before: import {numbers}."
            if would
            else f"Waits for no decision any more, as its plan was made before: import {numbers}."
        )
    return lines


def _purge_target(district: str, user: str | None, older_than: str | None) -> PurgeTarget:
    if user is not None and older_than is not None:
        raise UsageError(problem="pass --user or --older-than, not both")
    if user is not None:
        kind, colon, user_id = user.partition(":")
        if not (kind and colon and user_id):
            raise UsageError(problem="--user: expected KIND:ID, such as student:1001")
        return PurgeTarget(district_id=district, person=(kind, user_id))
    return PurgeTarget(district_id=district, age=None if older_than is None else parse_age(older_than, "--older-than"))


def backup(
    call: Call,
    to: Annotated[
        str, typer.Option("--to", metavar="DIR_OR_URL", callback=check_place, help="A new folder: a path or an fsspec URL.")
    ],
) -> int:
    """Copy warehouse, archive, registry and settings into a new folder, while imports go on; PostgreSQL: all but the database."""
    done = back_up(call.workspace, to)
    lines = [f"{done.where}: {done.files:,} files of the archive, imports up to {done.newest}."]
    if not done.warehouse:
        lines.append("The database is not in it: dump it with pg_dump before each backup (docs/operations/housekeeping.md).")
    return call.show_result(asdict(done), *lines)


def restore(
    call: Call,
    source: Annotated[
        str, typer.Option("--from", metavar="DIR_OR_URL", callback=check_place, help="A folder that `backup` has written.")
    ],
    check: Annotated[bool, typer.Option("--check", help="Only verify the backup: read all of it.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> int:
    """Restore a backup into a home (--home DIR). Imports that were running end as failed, and can be run again.

    What the home holds already is set aside in a folder beside it: that asks for the home's name on a terminal, and needs --yes elsewhere.
    """
    if check:
        return _verify_backup(call, source)
    if not call.home_named:
        raise UsageError(problem="--home: name the new home that is to be made")
    held = home_contents(call.home)
    if dry_run:
        return _preview_restore(call, source, held)
    if held.files and not yes:
        verify_backup(source)
        name = call.home.absolute().name
        refused = BackupTargetNotEmpty(where=str(call.home), problem=REPLACE_HINT)
        call.confirm(
            name, f"Type the name of the folder, {name}, to restore into it", _held_text(call.home, held), otherwise=refused
        )
    done = bring_back(source, call.home, replace_contents=bool(held.files))
    lines = [f"{done.home}: {done.files:,} files of the archive, imports up to {done.newest}."]
    if done.set_aside:
        lines.append(f"What the home held is in {done.set_aside}; remove it once it is not needed: it has personal data.")
    if done.ended:
        numbers = ", ".join(str(number) for number in done.ended)
        again = "`roster-etl rerun --district ID --import N` runs one again"
        lines.append(f"Ended as failed, since they were under way: {numbers}; {again}.")
    lines.append("Put back what holds secrets (password and key files, known_hosts), then look with `roster-etl doctor`.")
    return call.show_result(asdict(done), *lines)


def _preview_restore(call: Call, source: str, held: HomeContents) -> int:
    whole = verify_backup(source)
    lines = [f"{whole.listed:,} files, {whole.bytes:,} bytes, imports up to {whole.newest}, would be restored into {call.home}."]
    if held.files:
        lines.append(_held_text(call.home, held))
    document = {**asdict(whole), "home": str(call.home), "holds": asdict(held), "dry_run": True}
    return call.show_result(document, *lines, "Nothing was changed.")


def _held_text(home: Path, held: HomeContents) -> str:
    return f"{home} holds {held.files:,} files, {held.bytes:,} bytes, which would be set aside in a folder beside it."


def _verify_backup(call: Call, source: str) -> int:
    whole = verify_backup(source)
    size = f"{whole.listed:,} files, {whole.bytes:,} bytes, imports up to {whole.newest}"
    return call.show_result(asdict(whole), f"{whole.where}: whole. {size}; of {whole.at}.")


def sweep(
    call: Call,
    all_: Annotated[
        bool, typer.Option("--all", help="Look at every import and every file, not only at what is new since the last sweep.")
    ] = False,
) -> int:
    """Run the nightly maintenance now: fail imports of crashed processes, and delete what is older than [retention] allows."""
    from roster_etl.orchestration.jobs.in_process_runs import home_instance
    from roster_etl.orchestration.jobs.nightly_cleanup import run_nightly_cleanup

    with home_instance(call.settings.home) as instance:
        kept = run_nightly_cleanup(call.workspace, instance, datetime.now(UTC), everything=all_)
    swept, gone = kept.sweep_result, kept.retention_result
    return call.show_result(
        {**asdict(swept), "let_go": asdict(gone), "runs": kept.deleted_runs},
        f"{len(swept.ended):,} imports ended as failed, {len(swept.manifests):,} manifests brought up to date, "
        f"frames of {swept.frames + gone.frames:,} imports, {swept.scratch:,} temporary folders and {swept.parts:,} half-written files removed.",
        f"Past their time: {gone.reports:,} reports, data files of {gone.report_data:,} more, {gone.messages:,} dead-lettered messages, {kept.deleted_runs:,} runs of Dagster.",
        *([f"The outcomes of {swept.outcomes:,} receipts take less space now."] if swept.outcomes else []),
    )

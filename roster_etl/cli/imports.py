"""``import``, ``check``, ``rerun``: process an upload and print the result."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from roster_etl.cli import exit_codes
from roster_etl.cli.context import Call
from roster_etl.cli.districts import audited_change, find_district, save_district
from roster_etl.cli.errors import failure_of
from roster_etl.cli.exit_codes import HELD, USAGE_ERROR
from roster_etl.cli.global_options import UsageError, parse_key_values
from roster_etl.cli.options import DistrictOption, FormatOption, FormatOptions, check_import_id, check_place, resolve_format
from roster_etl.spec.errors import DistrictExists, RegistryMoved, RosterError, UnknownFeed
from roster_etl.spec.options import resolve_options
from roster_etl.store.default_home import VARIABLE
from roster_etl.store.files.urls import local_path, printable_name, redact, scheme
from roster_etl.store.landing.upload_source import is_readable_scheme
from roster_etl.store.registry.registry import District, Feed

if TYPE_CHECKING:
    from roster_etl.pipeline.uploads.order import Order

_Path = Annotated[
    str, typer.Argument(metavar="PATH", callback=check_place, help="A folder, a zip, a CSV, or an fsspec URL of one.")
]


def import_(
    call: Call,
    path: _Path,
    district: DistrictOption,
    format: FormatOption = None,
    option: FormatOptions = None,
    register: Annotated[
        bool, typer.Option("--register", help="Add the format to a district that is registered without it.")
    ] = False,
) -> int:
    """Import an upload now. A district that is not registered is registered with --format."""
    from roster_etl.pipeline.uploads.file_sets import detect_file_sets
    from roster_etl.pipeline.uploads.order import Order
    from roster_etl.vendors import vendor

    options = parse_key_values(option or (), label="--option")
    _require_upload_path(path)
    source = _resolve_or_register_format(call, district, format, options, register=register)

    order = Order(district_id=district, source=source, path=path, options=options)
    feed = call.registry.get(district).feed(source)
    sets = detect_file_sets(call.workspace, path, vendor(source).format, feed)
    return import_and_print(call, *(replace(order, file_set=name) for name in sets))


def rerun(
    call: Call,
    district: DistrictOption,
    format: FormatOption = None,
    import_id: Annotated[
        int | None,
        typer.Option(
            "--import", metavar="N", callback=check_import_id, help="The import whose upload is run again; default: the newest."
        ),
    ] = None,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Also where a newer upload is published: its plan is held for approval.")
    ] = False,
    option: FormatOptions = None,
) -> int:
    """Run an archived upload again, from the stored bytes. One that is older than the published one needs --rollback."""
    from roster_etl.pipeline.uploads.archived_uploads import archived_import, require_newest_upload
    from roster_etl.pipeline.uploads.order import Order, rerun_entry

    if rollback and import_id is None:
        raise UsageError(problem="--rollback: say with --import N which upload to go back to")
    known = call.registry.get(district)

    options = parse_key_values(option or (), label="--option")
    source = resolve_format(known, format) if import_id is None else _archived_source(call, district, import_id)
    if import_id is None:
        import_id = _newest_archived_import(call, district, source)
    order = Order(district_id=district, source=source, archived=import_id, options=options, rollback=rollback)
    with call.workspace.warehouse.attempt(rerun_entry(order)):
        found = archived_import(call.workspace, district, source, import_id)
        if not rollback:
            require_newest_upload(call.workspace, district, source, found)
        return import_and_print(call, replace(order, archived=found))


def check(
    call: Call,
    path: _Path,
    format: FormatOption = None,
    district: Annotated[
        str | None,
        typer.Option("--district", metavar="ID", help="The district to compare with; its options and tolerances count."),
    ] = None,
    option: FormatOptions = None,
) -> int:
    """Dry run: validate an upload and print every finding and change, without publishing. Without --district it needs no home.

    Without --format and --district, the format is the one whose file names and headers the upload has.
    """
    from roster_etl.cli.render_import import print_import
    from roster_etl.pipeline.import_upload import count_steps
    from roster_etl.pipeline.review.dry_run import check_upload
    from roster_etl.vendors import vendor

    options = parse_key_values(option or (), label="--option")
    _require_upload_path(path)
    with _home_to_check_in(call, district) as there:
        source = _format_to_check(there, path, district, format)
        _check_options(source, options)
        with there.progress(count_steps(vendor(source)), "check") as progress:
            document = check_upload(there.workspace, path, source, district_id=district, options=options, on_progress=progress)
    print_import(there, document)
    return exit_codes.most_severe(exit_codes.BY_STATUS[found["status"]] for found in (document, *document.get("further", ())))


@contextmanager
def _home_to_check_in(call: Call, district: str | None) -> Iterator[Call]:
    """Return `call`, or the same in an empty home for the block where none is named, none exists, and no district needs one."""
    if district is not None or call.home_named or VARIABLE in os.environ or call.home.exists():
        yield call
        return
    with TemporaryDirectory(prefix="roster_etl_") as folder:
        within = Call(home=Path(folder), json=call.json, out=call.out, err=call.err)
        try:
            yield within
        finally:
            within.close()


def import_and_print(call: Call, *orders: Order) -> int:
    """Run `orders` one after the other, print their results, and return the most severe exit code."""
    from roster_etl.cli.render_import import print_import
    from roster_etl.pipeline.reporting.import_summary import combine_documents

    documents, codes = [], []
    for order in orders:
        document, code = _run_and_summarize(call, order)
        if document is None:
            return code
        documents.append(document)
        codes.append(code)
    print_import(call, combine_documents(documents))
    return exit_codes.most_severe(codes)


def _run_and_summarize(call: Call, order: Order) -> tuple[dict[str, Any] | None, int]:
    """Run an import, and return its document and exit code; None: a usage error, which has been reported."""
    from roster_etl.cli.run_import import run_order

    document, failure = run_order(call, order)
    if failure is not None and failure.exit_code == USAGE_ERROR:
        if call.json:
            call.print_json(failure.json_document())
        return None, USAGE_ERROR
    if failure is None:
        return document, exit_codes.BY_STATUS[document["status"]]
    if order.path is not None and not document["files"]:
        document["given_path"] = redact(order.path)
    if document["error"] is None:  # an approved plan that is outdated: the import stays held, or another call ended it
        document["error"] = failure.json_document()["error"]
    return document, HELD if order.approves and failure.code == "roster_moved" else failure.exit_code


def decide_and_print(call: Call, job: str, config: dict[str, Any], *, decided_import_id: int | None = None) -> int:
    """Run a decision's job, print the resulting import, and return the exit code.

    Args: decided_import_id: the import that is decided; it is not changed if the roster has moved.
    """
    from roster_etl.cli.render_import import print_hold, print_import
    from roster_etl.orchestration.jobs.in_process_runs import run_decision
    from roster_etl.pipeline.reporting.import_summary import outcome

    try:
        document = outcome(call.workspace, run_decision(call.settings.home, job, config))
    except RosterError as error:
        if decided_import_id is None:
            raise
        return report_stale_approval(call, decided_import_id, error)
    show = print_hold if document["status"] == "held" else print_import
    show(call, document)
    return exit_codes.BY_STATUS[document["status"]]


def report_stale_approval(call: Call, import_id: int, error: RosterError) -> int:
    """Report that an import cannot be approved because the roster has moved, print the import, and return the exit code.

    Raises: `error`, if it has another cause.
    """
    from roster_etl.cli.render_import import print_import
    from roster_etl.pipeline.reporting.import_summary import outcome

    failure = failure_of(error)
    if failure.code != "roster_moved":
        raise error
    call.log(f"roster-etl: {failure.message}")
    print_import(call, {**outcome(call.workspace, import_id), "error": failure.json_document()["error"]})
    return HELD


def _require_upload_path(path: str) -> None:
    """Reject a path that does not exist, or cannot be an upload, before anything is recorded about it."""
    local = local_path(path)
    if local is None:
        if not is_readable_scheme(scheme(path)):
            raise UsageError(problem=f"PATH: {printable_name(scheme(path))}:// is no kind of URL that can be read")
    elif not local.exists():
        raise UsageError(problem=f"PATH: there is no {printable_name(path)}")
    elif not local.is_dir() and local.suffix.casefold() not in (".csv", ".zip"):
        raise UsageError(problem=f"PATH: {printable_name(path)} is neither a folder, nor a .csv or .zip file")


def _resolve_or_register_format(
    call: Call, district_id: str, format_: str | None, options: dict[str, str], *, register: bool
) -> str:
    """Return the format of the import. A district that is not registered is registered; a feed is added only with `register`."""
    if format_ is not None:
        _check_options(format_, options)
    known = find_district(call, district_id) if call.home.exists() else None
    if known is None and format_ is None:
        raise UsageError(problem=f"district {district_id} is not registered; --format registers it")
    is_new = known is None or (format_ is not None and format_ not in {feed.format for feed in known.feeds})
    if format_ is None or not is_new:
        source = resolve_format(known, format_) if known else ""
        _check_options(source, options)
        return source
    if known is not None and not register:
        raise _no_such_feed(known, format_)
    call.creates_home = True
    try:
        with audited_change(call, "district_change" if known else "district_add", district_id, format=format_):
            save_district(call, district_id, Feed(format=format_))
    except (DistrictExists, RegistryMoved):  # registered by another call at the same time
        call.registry.get(district_id).feed(format_)
    return format_


def _no_such_feed(district: District, format_: str) -> UnknownFeed:
    """Return the error of an import in a format that the district does not have: it may be a slip, so nothing is registered."""
    known = ", ".join(feed.format for feed in district.feeds) or "none"
    hint = (
        f"{known}. To add it: `roster-etl districts add {district.id} --format {format_}`, or repeat the import with --register"
    )
    return UnknownFeed(district_id=district.id, format=format_, known=hint)


def _check_options(source: str, options: dict[str, str]) -> None:
    from roster_etl.vendors import vendor

    resolve_options(vendor(source).format, options)


def _format_to_check(call: Call, path: str, district_id: str | None, format_: str | None) -> str:
    from roster_etl.vendors import discover_vendors

    if district_id is not None:
        return resolve_format(call.registry.get(district_id), format_)
    if format_ is not None:
        return format_
    from roster_etl.pipeline.uploads.guess_format import fitting_formats

    fitting = fitting_formats(path, call.settings)
    if len(fitting) != 1:
        seen = f"its files could be {' or '.join(fitting)}" if fitting else "its files are like those of no format"
        raise UsageError(problem=f"--format is needed: {seen}; known formats: {', '.join(discover_vendors())}")
    call.log(f"roster-etl: format {fitting[0]}, by the names and headers of the files; --format names another")
    return fitting[0]


def _archived_source(call: Call, district_id: str, import_id: int) -> str:
    row: dict[str, Any] = call.workspace.warehouse.ledger.import_(import_id)
    if row["district_id"] != district_id:
        raise UsageError(problem=f"import {import_id} is not one of district {district_id}")
    return str(row["source"])


def _newest_archived_import(call: Call, district_id: str, source: str) -> int:
    from roster_etl.pipeline.uploads.archived_uploads import newest_archived

    found = newest_archived(call.workspace, district_id, source)
    if found is None:
        raise UsageError(problem=f"no upload of {district_id} in format {source} is archived; import one first")
    return found

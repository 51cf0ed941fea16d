"""Options and arguments that several commands share, declared once."""

from __future__ import annotations

from typing import Annotated

import typer

from roster_etl.cli.completions import complete_district, complete_format, complete_table
from roster_etl.cli.global_options import UsageError
from roster_etl.store.actor import os_user
from roster_etl.store.registry.registry import District

USER_VARIABLE = "ROSTER_ETL_USER"

MAX_IMPORT_ID = 2**63 - 1
"""The largest number that the ledger can store."""


def check_import_id(value: int | None) -> int | None:
    """Check that an import number, or a count, is in the ledger's range; help does not show the limit. Raises BadParameter."""
    if value is not None and value > MAX_IMPORT_ID:
        raise typer.BadParameter("no number is as large as that")
    return value


def check_place(value: str | None) -> str | None:
    """Check that a path or URL is not empty: a variable of a script without a value would mean the present folder. Raises BadParameter."""
    if value is not None and not value.strip():
        raise typer.BadParameter("expected a path or a URL; it is empty")
    return value


DistrictOption = Annotated[str, typer.Option("--district", metavar="ID", autocompletion=complete_district, help="The district.")]
DistrictFilter = Annotated[
    str | None, typer.Option("--district", metavar="ID", autocompletion=complete_district, help="Only this district.")
]
TableArgument = Annotated[
    str, typer.Argument(metavar="TABLE", autocompletion=complete_table, help="A roster table, such as users.")
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="F",
        autocompletion=complete_format,
        help="The format, such as clever; needed only where a district has several.",
    ),
]
FormatOptions = Annotated[list[str] | None, typer.Option("--option", metavar="K=V", help="An option of the format; repeatable.")]
DecidedBy = Annotated[
    str,
    typer.Option(
        "--by",
        metavar="NAME",
        envvar=USER_VARIABLE,
        show_envvar=False,
        default_factory=os_user,
        show_default=False,
        help="Who decides; default: $ROSTER_ETL_USER, else the account of this process.",
    ),
]
ImportNumber = Annotated[int, typer.Argument(metavar="IMPORT", callback=check_import_id, help="The import's number.")]


def resolve_format(district: District, requested: str | None) -> str:
    """Return the requested format, else the only one that the district has.

    Raises: UsageError: no format is requested, and the district has several, or none. UnknownFeed: it has no feed of that format.
    """
    if requested:
        return district.feed(requested).format
    formats = [feed.format for feed in district.feeds]
    if len(formats) != 1:
        has = f"has {', '.join(formats)}" if formats else "has no feed"
        raise UsageError(problem=f"district {district.id} {has}; pass --format")
    return formats[0]

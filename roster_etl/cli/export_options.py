"""Options of what is exported, which `export` and `destinations add` share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from roster_etl.cli.global_options import UsageError
from roster_etl.cli.options import USER_VARIABLE

Schools = Annotated[list[str] | None, typer.Option("--school", metavar="ID", help="Only this organization; several times.")]
LeaveOut = Annotated[
    list[str] | None, typer.Option("--leave-out", metavar="TABLE[.COLUMN]", help="What must not be disclosed; several times.")
]
EnrolledOnly = Annotated[bool, typer.Option("--enrolled-only", help="Only people with an enrollment.")]
Formulas = Annotated[str, typer.Option("--formulas", metavar="guard|keep|refuse", help="Cells that a spreadsheet would run.")]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse to leave out rows, to change values or to make them up.")]
AskedBy = Annotated[
    str,
    typer.Option(
        "--by",
        metavar="NAME",
        envvar=USER_VARIABLE,
        show_envvar=False,
        help="Who asks; default: $ROSTER_ETL_USER, else the account of this process.",
    ),
]


def parse_place(to: str, *, instead: str) -> str:
    """Return where an export goes: a URL as it is, a path of this machine in full. Raises UsageError."""
    from roster_etl.store.files.urls import has_password, is_url, local_path, scheme
    from roster_etl.store.landing.upload_source import is_readable_scheme

    if has_password(to):
        raise UsageError(problem=f"--to: a password does not belong into a URL; {instead}", code="password_in_path")
    if not is_url(to):
        return str(Path(to).expanduser().absolute())
    if local_path(to) is None and not is_readable_scheme(scheme(to)):
        raise UsageError(problem=f"--to: {scheme(to)}:// is no kind of URL that can be written to", code="bad_option")
    return to


def split_words(given: Sequence[str] | None) -> tuple[str, ...]:
    """Return words that were given one by one, or several in one with commas or blanks between them."""
    return tuple(word for text in given or () for word in text.replace(",", " ").split())

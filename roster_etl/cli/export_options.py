"""Options of what is exported, which `export` and `destinations add` share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

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


def split_words(given: Sequence[str] | None) -> tuple[str, ...]:
    """Return words that were given one by one, or several in one with commas or blanks between them."""
    return tuple(word for text in given or () for word in text.replace(",", " ").split())

"""Change the rows of a CSV file of an upload."""

import csv
from collections.abc import Callable
from pathlib import Path


def rewrite(file: Path, change: Callable[[list[dict[str, str]]], list[dict[str, str]]]) -> None:
    """Change the rows of a CSV file."""
    with file.open(newline="", encoding="utf-8") as given:
        reader = csv.DictReader(given)
        rows, names = change(list(reader)), reader.fieldnames or []
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, names)
        writer.writeheader()
        writer.writerows(rows)


def put_in_every_row(file: Path, column: str, cell: str) -> None:
    """Put `cell` into `column` of each row."""
    rewrite(file, lambda rows: [{**row, column: cell} for row in rows])

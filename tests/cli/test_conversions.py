"""How often an import converts between Arrow and pandas, through the command and with Dagster in the same process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_next_day, write_sample
from roster_etl.vendors import vendor
from tests.cli.calling import call

pytestmark = pytest.mark.usefixtures("direct_imports")

MOST_COLUMNS = 120
"""Columns that become a pandas series, or come of one: in the functions that compute values, which take and return series."""


def test_an_import_converts_no_table_and_few_columns(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made: Counter[str] = Counter()
    Workspace.open(home).warehouse.migrate()
    write_sample(vendor("clever"), tmp_path / "day1", students=60, seed=1)
    write_next_day(vendor("clever"), tmp_path / "day1", tmp_path / "day2", seed=2)
    for kind in (pd.DataFrame, pd.Series):
        monkeypatch.setattr(kind, "__init__", _counting(kind.__init__, made, kind.__name__))

    found = []
    for day in ("day1", "day1", "day2"):
        made.clear()
        answer = call("import", tmp_path / day, "--district", "lincoln", "--format", "clever", "--json", home=home)
        found.append((answer.document["status"], made["DataFrame"], made["Series"]))

    assert [(status, tables) for status, tables, _ in found] == [("published", 0), ("unchanged", 0), ("published", 0)]
    assert found[1][2] == 0
    assert max(columns for _, _, columns in found) <= MOST_COLUMNS, found


def _counting(create: Callable[..., None], made: Counter[str], name: str) -> Callable[..., None]:
    def counting(self: object, *args: Any, **kwargs: Any) -> None:
        if not (args and isinstance(args[0], np.ndarray)):  # numbers of rows were never in Arrow
            made[name] += 1
        create(self, *args, **kwargs)

    return counting

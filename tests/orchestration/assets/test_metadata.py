"""What assets show of their findings."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from roster_etl.orchestration.assets.metadata import findings_metadata, mapping_references
from roster_etl.vendors import discover_vendors


def test_findings_are_counted_in_total_and_by_code() -> None:
    found = pa.table({"code": ["bad_value", "bad_date", "bad_value"], "count": [3, 1, 2]})
    shown = findings_metadata(found)

    assert shown["findings"] == 6
    assert shown["findings_by_code"].value == {"bad_date": 1, "bad_value": 5}
    assert findings_metadata(found.slice(0, 0))["findings"] == 0


def test_the_code_of_each_formats_mapping_is_a_file_that_is_there() -> None:
    shown = mapping_references([*discover_vendors().values()])["dagster/code_references"]
    files = {reference.label: Path(reference.file_path) for reference in shown.code_references}

    assert {label: path for label, path in files.items() if not path.is_file()} == {}
    assert {"canvas change_rules", "clever mapping", "oneroster mapping"} <= {*files}

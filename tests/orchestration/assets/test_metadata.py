"""What assets show of their findings."""

from __future__ import annotations

import pyarrow as pa

from roster_etl.orchestration.assets.metadata import findings_metadata


def test_findings_are_counted_in_total_and_by_code() -> None:
    found = pa.table({"code": ["bad_value", "bad_date", "bad_value"], "count": [3, 1, 2]})
    shown = findings_metadata(found)

    assert shown["findings"] == 6
    assert shown["findings_by_code"].value == {"bad_date": 1, "bad_value": 5}
    assert findings_metadata(found.slice(0, 0))["findings"] == 0

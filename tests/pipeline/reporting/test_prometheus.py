"""Numbers for outside monitoring, read back by Prometheus' own parser."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from roster_etl.pipeline.reporting.prometheus import Metric, collect_metrics, exposition
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.registry import District, Feed
from tests.ledgers import NOON, ended
from tests.store.outbox.test_outbox import message

FEED = (("district", "lincoln"), ("format", "clever"))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace.open(tmp_path / "home")
    workspace.registry.add(District(id="lincoln", feeds=(Feed(format="clever", expected_by="02:30"),)))
    return workspace


def read(workspace: Workspace, **given: float) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(exposition(collect_metrics(workspace, NOON + timedelta(days=2), given)))
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_an_empty_home_has_numbers_too(workspace: Workspace) -> None:
    found = read(workspace)

    assert found["roster_etl_late", FEED] == 0
    assert found["roster_etl_outbox_messages", (("kind", "mail"), ("state", "parked"))] == 0


def test_imports_are_counted_by_how_they_ended(workspace: Workspace) -> None:
    for status in ("published", "published", "rejected", "held", "running"):
        ended(workspace, status)
    found = read(workspace, outbox=1.5)

    assert found["roster_etl_imports", (*FEED, ("status", "published"))] == 2
    assert found["roster_etl_imports", (*FEED, ("status", "running"))] == 1
    assert found["roster_etl_last_import_id", FEED] == 4
    second = NOON + timedelta(microseconds=1)  # no two are published at one moment
    assert found["roster_etl_last_published_timestamp_seconds", FEED] == second.timestamp()
    assert found["roster_etl_last_import_duration_seconds", FEED] == 120
    assert found["roster_etl_last_import_rows_read", FEED] == 100
    assert found["roster_etl_last_import_rows_refused", FEED] == 2
    assert found["roster_etl_held", FEED] == 1
    assert found["roster_etl_late", FEED] == 1
    assert found["roster_etl_expected_timestamp_seconds", FEED] > NOON.timestamp()
    assert found["roster_etl_sensor_last_tick_timestamp_seconds", (("sensor", "outbox"),)] == 1.5


def test_what_waits_in_the_outbox_is_counted(workspace: Workspace) -> None:
    workspace.outbox.put(message())
    workspace.outbox.put(message(about="other", parked=True))
    found = read(workspace)

    assert found["roster_etl_outbox_messages", (("kind", "mail"), ("state", "queued"))] == 1
    assert found["roster_etl_outbox_messages", (("kind", "mail"), ("state", "parked"))] == 1


def test_a_label_is_escaped_and_a_large_number_is_whole() -> None:
    text = exposition([Metric(name="m", help="a\nb\\", samples={(("l", 'a"b\\c\nd'),): 1730548800.123456})])
    (family,) = text_string_to_metric_families(text)

    assert family.samples[0].labels == {"l": 'a"b\\c\nd'}
    assert family.samples[0].value == 1730548800.123456
    assert family.documentation == "a\nb\\"

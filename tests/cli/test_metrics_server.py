"""``metrics --serve``: what Prometheus scrapes."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from roster_etl.cli.demo.processes import free_port
from roster_etl.cli.global_options import UsageError
from roster_etl.cli.metrics_server import MetricsCollector, parse_address, serve_metrics
from roster_etl.pipeline.reporting.prometheus import collect_metrics, exposition
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RetryableError
from roster_etl.store.settings import Settings


def scrape(port: int) -> dict[str, dict[tuple[str, ...], float]]:
    """Return the samples that a scrape gets, by name and labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {
        family.name: {tuple(sorted(sample.labels.values())): sample.value for sample in family.samples}
        for family in text_string_to_metric_families(text)
    }


@pytest.fixture
def workspace(told: Path) -> Iterator[Workspace]:
    found = Workspace(Settings.load(told))
    yield found
    found.warehouse.close()


def test_a_scrape_gets_what_the_command_prints(workspace: Workspace) -> None:
    now = datetime.now(UTC)
    measured = collect_metrics(workspace, now, {"landing_zone": 7.0})
    stop, port = serve_metrics("127.0.0.1", free_port(), MetricsCollector(lambda: measured, pytest.fail))
    try:
        got = scrape(port)
    finally:
        stop()

    printed = {
        family.name: {tuple(sorted(sample.labels.values())): sample.value for sample in family.samples}
        for family in text_string_to_metric_families(exposition(measured))
    }
    assert got.pop("roster_etl_up") == {(): 1.0}
    assert got == printed
    assert got["roster_etl_imports"][("clever", "lincoln", "published")] == 2


def test_a_warehouse_that_does_not_answer_is_a_number_and_a_line() -> None:
    class Down(RetryableError):
        template = "the database is down"

    def measure() -> list:
        raise Down

    said: list[str] = []
    stop, port = serve_metrics("127.0.0.1", free_port(), MetricsCollector(measure, said.append))
    try:
        assert scrape(port) == {"roster_etl_up": {(): 0.0}}
    finally:
        stop()
    assert said == ["roster-etl: the database is down"]


def test_an_address_is_a_port_on_loopback_or_a_host_and_a_port() -> None:
    assert parse_address("9464") == ("127.0.0.1", 9464)
    assert parse_address("0.0.0.0:9464") == ("0.0.0.0", 9464)
    assert parse_address("[::1]:9464") == ("::1", 9464)
    for text in ("", "x", "9464x", "0", "70000", "h:"):
        with pytest.raises(UsageError, match="HOST:PORT"):
            parse_address(text)


def test_a_port_that_is_taken_is_named() -> None:
    port = free_port()
    stop, _ = serve_metrics("127.0.0.1", port, MetricsCollector(list, pytest.fail))
    try:
        with pytest.raises(UsageError, match=f"127.0.0.1:{port} cannot be used"):
            serve_metrics("127.0.0.1", port, MetricsCollector(list, pytest.fail))
    finally:
        stop()

"""``metrics --serve``: the numbers of ``pipeline.reporting.prometheus`` over HTTP, for Prometheus to scrape."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from roster_etl.cli.global_options import UsageError
from roster_etl.pipeline.reporting.prometheus import Metric
from roster_etl.spec.errors import RosterError

LOOPBACK = "127.0.0.1"
_HIGHEST_PORT = 65535


class MetricsCollector(Collector):
    """Measures at each scrape, one scrape at a time. ``roster_etl_up`` is 0 if the warehouse or the home does not answer."""

    def __init__(self, measure: Callable[[], Sequence[Metric]], report: Callable[[str], None]) -> None:
        self._measure, self._report = measure, report
        self._lock = threading.Lock()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield all metrics."""
        try:
            with self._lock:
                found = self._measure()
        except RosterError as error:
            self._report(f"roster-etl: {error.message}")
            found = []
            up = 0
        else:
            up = 1
        yield GaugeMetricFamily("roster_etl_up", "1: the numbers could be read.", value=up)
        for metric in found:
            yield _family(metric)

    def describe(self) -> list[GaugeMetricFamily]:
        """Return no names, since they depend on the ledger: nothing is measured before the first scrape."""
        return []


def _family(metric: Metric) -> GaugeMetricFamily:
    names = [name for name, _ in next(iter(metric.samples), ())]
    family = GaugeMetricFamily(metric.name, metric.help, labels=names)
    for labels, value in sorted(metric.samples.items()):
        family.add_metric([text for _, text in labels], value)
    return family


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of ``[HOST:]PORT``; the host is loopback unless it is named. Raises UsageError."""
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= _HIGHEST_PORT):
        raise UsageError(problem="--serve: expected PORT or HOST:PORT, such as 127.0.0.1:9464")
    return host.strip("[]") or LOOPBACK, int(port)


def serve_metrics(host: str, port: int, collector: Collector) -> tuple[Callable[[], None], int]:
    """Serve ``/metrics`` in a thread; return the function that stops it, and the port. Raises UsageError: the address cannot be used."""
    registry = CollectorRegistry()
    registry.register(collector)
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise UsageError(problem=f"--serve: {host}:{port} cannot be used ({error.strerror})") from None

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop, server.server_port

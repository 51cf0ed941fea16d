"""A process that is killed while it publishes leaves nothing behind but an import that is still running."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from roster_etl.store.warehouse import Warehouse, WarehouseUnavailable
from tests.ledgers import in_transaction
from tests.rosters import DISTRICT, SOURCE, begin, change, end, published, user

pytestmark = pytest.mark.faults

# Publishes, and stops for good just before the transaction would be committed, or half way through its tables.
SCRIPT = """
import sys, time
from roster_etl.store.warehouse import Warehouse, bulk_load, ledger_write
from tests.ledgers import in_transaction
from tests.rosters import change, end, user
url, number, where = sys.argv[1], int(sys.argv[2]), sys.argv[3]

def stop(*_args, **_kwargs):
    print("half way", flush=True)
    time.sleep(60)

if where == "before the ledger":
    ledger_write.conclude = stop
else:
    bulk_load.unstage = stop
in_transaction(Warehouse(url)).publish(end(number), {"users": change("users", [user(str(n)) for n in range(5000)])}, None)
"""


@contextmanager
def killed(url, number, where, root):
    environment = os.environ | {"PYTHONPATH": str(root)}
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, url, str(number), where], stdout=subprocess.PIPE, env=environment)
    assert process.stdout.readline() == b"half way\n"
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("where", ["before the ledger", "half way through a table"])
def test_a_killed_publish_leaves_nothing_visible(warehouse_url, where, pytestconfig):
    with Warehouse(warehouse_url) as warehouse:
        number = begin(warehouse)
        with killed(warehouse_url, number, where, pytestconfig.rootpath):
            assert warehouse.roster.current(DISTRICT, SOURCE, "users").num_rows == 0  # readers see the state before

        assert warehouse.roster.current(DISTRICT, SOURCE, "users").num_rows == 0
        assert warehouse.ledger.import_(number)["status"] == "running"
        in_transaction(warehouse).resume(number)
        in_transaction(warehouse).publish(end(number), {"users": change("users", [user("a")])}, None)
        assert warehouse.roster.current(DISTRICT, SOURCE, "users").num_rows == 1


def test_a_writer_that_waits_too_long_is_told_to_try_again(tmp_path, pytestconfig):
    url = f"sqlite:///{tmp_path}/warehouse.sqlite"
    with Warehouse(url, busy_timeout_s=0.1) as warehouse:
        number = begin(warehouse)
        with killed(url, number, "before the ledger", pytestconfig.rootpath):
            started = time.monotonic()
            with pytest.raises(WarehouseUnavailable, match="another process is writing"):
                begin(warehouse, 2)
            assert time.monotonic() - started < 10

        published(warehouse, {"users": change("users", [user("a")])}, number=2)

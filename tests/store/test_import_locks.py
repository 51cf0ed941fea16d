"""Which process works on which import."""

import subprocess
import sys
from pathlib import Path

from roster_etl.store.import_locks import ImportLocks

WAREHOUSE = "sqlite:////somewhere/warehouse.sqlite"
DIES = "import os, sys; from pathlib import Path; from roster_etl.store.import_locks import ImportLocks\nImportLocks(Path(sys.argv[1]), sys.argv[2]).acquire(7); os._exit(9)"


def test_an_import_is_held_until_it_is_released(tmp_path: Path) -> None:
    holders = ImportLocks(tmp_path / "locks", WAREHOUSE)
    holders.acquire(7)

    assert (holders.is_locked(7), holders.orphaned()) == (True, [])
    holders.release(7, ended=True)
    assert (holders.is_locked(7), holders.orphaned(), list((tmp_path / "locks").iterdir())) == (False, [], [])


def test_an_import_that_was_released_before_its_end_is_left(tmp_path: Path) -> None:
    holders = ImportLocks(tmp_path, WAREHOUSE)
    holders.acquire(7)
    holders.release(7, ended=False)

    assert (holders.is_locked(7), holders.orphaned()) == (False, [7])


def test_an_import_of_a_killed_process_is_left_and_one_of_another_warehouse_is_not_ours(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", DIES, str(tmp_path), WAREHOUSE], check=False)

    assert ImportLocks(tmp_path, WAREHOUSE).orphaned() == [7]
    assert ImportLocks(tmp_path, "postgresql://elsewhere/roster").orphaned() == []


def test_one_process_at_a_time_passes_the_gate(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from roster_etl.store.import_locks import ImportLocks\nwith ImportLocks(Path(sys.argv[1]), sys.argv[2]).exclusive(): print('through', flush=True)"
    holders = ImportLocks(tmp_path, WAREHOUSE)
    with holders.exclusive():
        process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path), WAREHOUSE], stdout=subprocess.PIPE)
        try:
            process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            waited = True
        else:
            waited = False
    out, _ = process.communicate(timeout=20)

    assert (waited, out) == (True, b"through\n")


def test_what_is_left_says_for_which_run_it_was_taken(tmp_path: Path) -> None:
    holders = ImportLocks(tmp_path, WAREHOUSE)
    holders.acquire(7, "run-a")
    holders.release(7, ended=False)
    holders.acquire(8)

    assert [holders.last_run_of(number) for number in (7, 8, 9)] == ["run-a", "", None]
    holders.acquire(7, "b")
    assert holders.last_run_of(7) == "b"
    for number in (7, 8):
        holders.release(number, ended=True)

"""Which process works on which import."""

import subprocess
import sys
from pathlib import Path

from roster_etl.store.import_locks import Holders

WAREHOUSE = "sqlite:////somewhere/warehouse.sqlite"
DIES = "import os, sys; from pathlib import Path; from roster_etl.store.import_locks import Holders\nHolders(Path(sys.argv[1]), sys.argv[2]).take(7); os._exit(9)"


def test_an_import_is_held_until_it_is_released(tmp_path: Path) -> None:
    holders = Holders(tmp_path / "locks", WAREHOUSE)
    holders.take(7)

    assert (holders.held(7), holders.left()) == (True, [])
    holders.release(7, ended=True)
    assert (holders.held(7), holders.left(), list((tmp_path / "locks").iterdir())) == (False, [], [])


def test_an_import_that_was_released_before_its_end_is_left(tmp_path: Path) -> None:
    holders = Holders(tmp_path, WAREHOUSE)
    holders.take(7)
    holders.release(7, ended=False)

    assert (holders.held(7), holders.left()) == (False, [7])


def test_an_import_of_a_killed_process_is_left_and_one_of_another_warehouse_is_not_ours(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", DIES, str(tmp_path), WAREHOUSE], check=False)

    assert Holders(tmp_path, WAREHOUSE).left() == [7]
    assert Holders(tmp_path, "postgresql://elsewhere/roster").left() == []


def test_one_process_at_a_time_passes_the_gate(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from roster_etl.store.import_locks import Holders\nwith Holders(Path(sys.argv[1]), sys.argv[2]).gate(): print('through', flush=True)"
    holders = Holders(tmp_path, WAREHOUSE)
    with holders.gate():
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
    holders = Holders(tmp_path, WAREHOUSE)
    holders.take(7, "run-a")
    holders.release(7, ended=False)
    holders.take(8)

    assert [holders.left_by(number) for number in (7, 8, 9)] == ["run-a", "", None]
    holders.take(7, "b")
    assert holders.left_by(7) == "b"
    for number in (7, 8):
        holders.release(number, ended=True)

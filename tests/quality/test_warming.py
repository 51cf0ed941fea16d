"""Great Expectations is loaded late, and once."""

import subprocess
import sys

from roster_etl.quality import warm


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_the_room_does_not_load_great_expectations():
    code = "import sys, roster_etl.quality, roster_etl.projections.suites; print('great_expectations' in sys.modules)"

    assert run(code) == "False"


def test_warming_loads_it_in_the_background():
    code = "import sys; from roster_etl.quality import warm; warm().join(); print('great_expectations' in sys.modules)"

    assert run(code) == "True"


def test_warming_again_starts_nothing():
    first = warm()
    first.join()

    assert warm() is first

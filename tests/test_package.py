"""What importing the package sets for the libraries that are loaded after it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")
def test_numpy_starts_no_threads_once_the_package_is_imported():
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OPENBLAS_", "OMP_"))}
    count = "import roster_etl, numpy, os; print(len(os.listdir('/proc/self/task')))"
    counted = subprocess.run([sys.executable, "-c", count], env=environment, capture_output=True, check=True)

    assert int(counted.stdout) == 1

"""Great Expectations, loaded once for all tests of the gates."""

import warnings

import pytest

from roster_etl.quality.gx_runner import load_great_expectations


@pytest.fixture(scope="session", autouse=True)
def gx():
    with warnings.catch_warnings():  # it imports modules that Python has deprecated
        warnings.filterwarnings("ignore", "module 'sre_(parse|constants)' is deprecated", DeprecationWarning)
        return load_great_expectations()


@pytest.fixture(autouse=True)
def _judged(real_gates):
    """Tests of the gates ask the real ones."""

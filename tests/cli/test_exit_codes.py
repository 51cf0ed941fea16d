"""Exit codes that scripts rely on."""

from __future__ import annotations

import pytest

from roster_etl.canonical.ledger import IMPORT_STATUSES
from roster_etl.cli import exit_codes


def test_every_status_of_an_import_has_an_exit_code() -> None:
    assert {*IMPORT_STATUSES, "publishable"} == exit_codes.BY_STATUS.keys()


@pytest.mark.parametrize(("codes", "worst"), [([0, 4, 3], 3), ([4, 0], 4), ([3, 1, 4], 1), ([0, 0], 0)])
def test_a_command_ends_with_the_code_of_its_most_severe_import(codes: list[int], worst: int) -> None:
    assert exit_codes.most_severe(codes) == worst


@pytest.mark.parametrize(
    ("statuses", "code"), [(["rejected", "held"], 4), (["held", "running"], 1), (["unchanged", "rejected"], 3), ([], 0)]
)
def test_a_backfill_ends_with_failed_before_held_before_rejected(statuses: list[str], code: int) -> None:
    assert exit_codes.of_backfill(statuses) == code

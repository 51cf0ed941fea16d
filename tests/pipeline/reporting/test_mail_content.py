"""The subject of a mail, and in a sentence why an import ended as it did."""

from __future__ import annotations

from typing import Any

import pytest

from roster_etl.pipeline.reporting.mail_content import mail_title, status_reason
from roster_etl.spec.findings import CODES
from tests.pipeline.reporting.findings import document, finding

HOLD = {"reason": "change_threshold_exceeded", "decision": None}
STOPPED = finding(1, severity="upload", code="missing_file", row=None, field=None)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"status": "published"}, ""),
        ({"status": "held", "hold": HOLD}, CODES["change_threshold_exceeded"].meaning),
        ({"status": "held", "hold": {"reason": "replayed", "decision": None}}, "replayed"),
        ({"status": "published", "hold": HOLD | {"decision": "approved"}}, ""),
        ({"status": "rejected", "findings": [finding(2), STOPPED]}, CODES["missing_file"].meaning),
        ({"status": "rejected", "findings": [finding(2)]}, ""),
        ({"status": "published", "findings": [STOPPED]}, ""),
        ({"status": "failed", "error": {"class": "KeyError", "message": None}}, "KeyError."),
        ({"status": "failed", "error": {"class": "X", "message": "The disk is full."}}, "The disk is full."),
    ],
)
def test_the_reason_is_that_of_the_ending(parts: dict[str, Any], reason: str) -> None:
    assert status_reason(document(**parts)) == reason


def test_the_subject_names_the_district_the_import_and_how_it_ended() -> None:
    assert mail_title(document(district_name="Lincoln County", status="held")) == "Lincoln County: import 7 (clever) held"
    assert mail_title(document(district_name="", status="published")) == "lincoln: import 7 (clever) published"
    assert mail_title(document(district_name="", status="failed", parked=True)) == "lincoln: import 7 (clever) failed, parked"

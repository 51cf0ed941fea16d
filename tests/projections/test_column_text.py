"""What a column of a vendor's file is said to be."""

from __future__ import annotations

import pytest

from roster_etl.projections.column_text import cell_format_text
from roster_etl.spec import Choice, Date, DateTime, Decimal, Digits, Email, Phone, Status, Text, WholeNumber


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (Text(), "text"),
        (Text(max_length=5), "text of at most 5 characters"),
        (Choice(options=("Y", "N")), "one of `Y`, `N`"),
        (Choice(options=("K", "1", "2", "3"), ranges=True), "one of `K`, `1` … `3`, or a range of two whole numbers"),
        (Choice(options=("F", "N"), fallback="N"), "one of `F`, `N`; anything else counts as `N`"),
        (WholeNumber(minimum=1, maximum=9), "whole number, 1 to 9"),
        (Decimal(), "decimal number"),
        (Digits(), "digits only"),
        (Status(options=("active", "deleted")), "one of `active`, `deleted`"),
        (Date(pattern="MM/DD/YYYY"), "date MM/DD/YYYY"),
        (DateTime(), "moment in ISO 8601"),
        (DateTime(keywords=("<delete>",)), "moment in ISO 8601, or `<delete>`"),
        (Text(max_length=5, printable=True), "text of at most 5 characters, no control characters"),
        (Email(), "e-mail address"),
        (Phone(lengths=(7, 10)), "phone number of 7, 10 digits"),
    ],
)
def test_a_form_reads_like_a_sentence(form: Text, text: str) -> None:
    assert cell_format_text(form) == text

"""Trying only those waiting rows again of which something has happened comes to what trying all of them comes to.

Every upload of `District` is applied both ways and compared; here, over longer histories in which much waits, and in some of which people
edit records, ids change, rows describe other people under one id, and rows are rejected by validation.
"""

from __future__ import annotations

from typing import Any

import pytest

from roster_etl.engine.changes import Override, apply_changes, retries
from tests.engine.changes.test_hostile import HEADERS, Rows
from tests.sampling import every
from tests.vendors.canvas.folding import District

pytestmark = pytest.mark.sampled
EDITS = (
    Override(table="users", key={"user_id": "U1"}, field="username", value="l0"),
    Override(table="sections", key={"section_id": "S1"}, field="course_id", value="C1"),
)


class WaitingRows(Rows):
    """Rows of a world in which names differ, too, and some are rejected as they are read."""

    def row(self, kind: str) -> str:
        cells = super().row(kind)
        for word in ("Name", "Course", "Section", "Group", "Term"):
            cells = cells.replace(f"{word},", f"{self.of(word)},")
        if kind == "users":
            cells += self.choose.choice(("", "Ann Lee", "Bo Ray"))
        return f"!{cells}" if self.choose.random() < 0.05 else cells

    def upload(self, *, most: int) -> dict[str, str]:
        kinds = [kind for kind in HEADERS if self.choose.random() < 0.35]
        return {k: "\n".join([HEADERS[k], *(self.row(k) for _ in range(self.choose.randint(1, most)))]) for k in kinds}

    def options(self) -> dict[str, Any]:
        return super().options() | {"skip_deletes": False}


def history(seed: int, uploads: int = 14) -> tuple[District, int, int]:
    """Upload so many times; return the district, how many rows waited before each upload in sum, and how many of these were tried."""
    rows, district, waited, tried = WaitingRows(seed), District(), 0, 0
    options = rows.options()
    for _ in range(uploads):
        if rows.choose.random() < 0.1:
            district.overrides = rows.choose.sample(EDITS, rows.choose.randint(0, 2))
        waited += len(district.quarantine)
        district.upload(rows.upload(most=4), **options)
        tried += district.tried
    return district, waited, tried


@pytest.mark.parametrize("seed", every(20, range(100)))
def test_rows_that_nothing_touched_need_not_be_tried_again(seed: int) -> None:
    _, waited, tried = history(seed)

    assert 0 < tried < waited


def test_of_many_rows_that_wait_for_people_those_are_tried_of_whom_something_is_heard() -> None:
    district = District()
    lines = "\n".join(f"c1,,u{number},,student,active," for number in range(200))
    district.upload(
        {"courses": "course_id,short_name,long_name,status\nc1,c,C,active", "enrollments": f"{HEADERS['enrollments']}\n{lines}"}
    )
    district.upload({"users": "user_id,login_id,status,full_name\nx,x,active,X"})
    assert (district.tried, len(district.quarantine)) == (0, 200)

    district.upload({"users": "user_id,login_id,status,full_name\nu7,a,active,Ann\nu8,b,active,Bo"})
    assert (district.tried, len(district.quarantine)) == (2, 198)

    district.upload({"enrollments": f"{HEADERS['enrollments']}\nc1,,u9,,student,deleted,"})
    assert (district.tried, len(district.quarantine)) == (0, 198)


def test_a_waiting_row_of_an_earlier_upload_is_no_cause_of_what_this_one_lacks() -> None:
    district = District()
    district.upload({"sections": f"{HEADERS['sections']}\ns9,c9,Section,active"})
    found = district.upload(
        {"enrollments": f"{HEADERS['enrollments']}\n,s9,u1,,student,active,", "users": f"{HEADERS['users']}\nu1,a,active,,Ann"}
    )

    assert [(line["code"], line["cause_file"]) for line in found.findings.to_pylist()] == [("unknown_reference", None)]


def test_in_batch_mode_a_waiting_row_keeps_no_enrollment_that_the_upload_leaves_out() -> None:
    district, enrollments = District(), HEADERS["enrollments"]
    start = {
        "terms": "term_id,name,status\nT1,Term,active",
        "courses": "course_id,short_name,long_name,term_id,status\nc1,c,C,T1,active",
        "users": f"{HEADERS['users']}\nu1,a,active,,Ann\nu2,b,active,,Bo",
        "enrollments": f"{enrollments}\nc1,,u1,,student,active,\nc1,,u2,,student,active,",
    }
    district.upload(start)
    district.upload({"enrollments": f"{enrollments}\nc1,,u1,,unheard,active,"})
    district.upload({"enrollments": f"{enrollments}\nc1,,u2,,student,active,"}, batch_mode=True, batch_mode_term_id="T1")

    assert district.lines("enrollments", ["user_id"]) == ["u2"]


def test_rows_that_wait_for_one_another_in_a_chain_apply_the_upload_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    applied: list[int] = []

    def counted(*given: Any) -> Any:
        applied.append(1)
        return apply_changes(*given)

    district, head = District(), "account_id,parent_account_id,name,status"
    monkeypatch.setattr(retries, "apply_changes", counted)
    for number in reversed(range(12)):
        district.upload({"accounts": f"{head}\na{number},a{number + 1},A,active"})
    assert len(district.quarantine) == 12

    district.upload({"accounts": f"{head}\na12,,A,active"})  # what waited is tried before it
    applied.clear()
    district.upload({"accounts": f"{head}\nz,,Z,active"})

    assert (district.tried, len(district.quarantine)) == (12, 0)
    assert len(applied) == 4

"""Keys and references of a long file are checked by codes, with the same result as cell by cell."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roster_etl.engine.csv.header_match import match_header
from roster_etl.engine.csv.reader import read_csv
from roster_etl.engine.validation.column_checks import ReferencedFile, load_columns
from roster_etl.engine.validation.row_rejection import FileState
from roster_etl.engine.validation.validate import ValidatedFile, validate_file
from roster_etl.frames import arrow
from roster_etl.frames.arrow import ID_CONFLICT, REFUSED, CodedColumn, coded_column, row_codes
from roster_etl.vendors import vendor

FILES = {file.name: file for file in vendor("clever").format.files}
CELLS = ("1", "2", "s1", "s2", "S1", "x9", "", " 1", "\x00")


def _referenced() -> dict[str, ReferencedFile]:
    """Return the files that enrollments refer to: in each an id of a rejected row, among students one that two records claim."""
    known: dict[str, ReferencedFile] = {}
    for name, *lines in (
        ("schools", "School_id,School_name,School_number", "1,A,1", "2,,2"),
        ("teachers", "School_id,Teacher_id,Last_name,First_name", "1,t1,A,B"),
        ("sections", "School_id,Section_id,Teacher_id,Name", "1,s1,t1,A", "1,s2,t1,B", "9,x9,t1,C"),
        ("students", "School_id,Student_id,Last_name,First_name,DOB", "1,1,A,B,01/02/2010", "1,1,C,D,02/03/2011", "2,2,E,F,"),
    ):
        rows = validate_file(read_csv("\n".join((*lines, "")).encode()), FILES[name], referenced_files=known).rows
        known[name] = ReferencedFile(rows=rows, file_name=f"{name}.csv")
    return known


KNOWN = _referenced()


def _validated(rows: list[tuple[str, str, str]]) -> ValidatedFile:
    content = "School_id,Section_id,Student_id\n" + "".join(f"{','.join(row)}\n" for row in rows)
    return validate_file(read_csv(content.encode()), FILES["enrollments"], referenced_files=KNOWN)


@given(st.lists(st.tuples(*(st.sampled_from(CELLS),) * 3), min_size=1, max_size=30))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_is_validated_by_codes_as_cell_by_cell(monkeypatch: pytest.MonkeyPatch, rows: list[tuple[str, str, str]]) -> None:
    expected = _validated(rows)
    with monkeypatch.context() as patch:
        patch.setattr(arrow, "_CODED_AT_ONCE", 0)
        patch.setattr(arrow, "_repeats_often", lambda _: True)

        found = _validated(rows)

    for name in ("rows", "findings", "verdicts", "quarantine", "doubtful_keys"):
        assert getattr(found, name).equals(getattr(expected, name)), name


def test_cells_are_looked_up_by_their_codes_as_they_are_in_the_column() -> None:
    column = pa.array(["a", None, "b", "a", ""])
    coded = CodedColumn(column, pa.array([0, -1, 1, 0, 2], pa.int32()).to_numpy(), pa.array(["a", "b", ""]))

    assert coded.is_in(pa.array(["a", ""])).tolist() == [True, False, False, True, True]
    assert coded.is_in(pa.array(["b", None])).tolist() == [False, True, True, False, False]
    assert coded.is_in(pa.array([], pa.string())).tolist() == [False] * 5
    assert row_codes([coded]).tolist() == [1, 0, 2, 1, 3]


def test_only_a_long_column_of_text_that_repeats_its_cells_is_coded(monkeypatch: pytest.MonkeyPatch) -> None:
    long = arrow._CODED_AT_ONCE + 1
    repeated = pa.array(["a", "b", None] * (long // 3 + 1))

    coded = coded_column(repeated)

    assert coded is not None
    assert coded.codes[:6].tolist() == [0, 1, -1, 0, 1, -1]
    assert coded_column(repeated.slice(0, long - 1)) is None
    assert coded_column(pa.array(map(str, range(long)), pa.string())) is None
    monkeypatch.setattr(arrow, "_MOST_CODED", long)
    assert coded_column(repeated) is None


def test_codes_of_a_column_are_made_again_once_a_cell_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "_CODED_AT_ONCE", 0)
    monkeypatch.setattr(arrow, "_repeats_often", lambda _: True)
    raw = read_csv(b"School_id,Section_id,Student_id\n1,s1,1\n1,s2,1\n")
    state = FileState(raw, FILES["enrollments"], match_header(raw.header, FILES["enrollments"]), "enrollments.csv", frozenset())
    load_columns(state, {})

    before = state.is_in("Section_id", pa.array(["s1", "s2"]))
    state.set_cells("Section_id", state.mask(pa.array([1]).to_numpy()), None)

    assert before.tolist() == [True, True]
    assert state.is_in("Section_id", pa.array(["s1", "s2"])).tolist() == [True, False]


def test_an_id_of_the_files_referred_to_is_claimed_by_two_records() -> None:
    assert KNOWN["students"].rows.column(ID_CONFLICT).to_pylist() == [False, True, False]
    assert [KNOWN[name].rows.column(REFUSED).to_pylist()[-1] for name in ("schools", "sections", "students")] == [True] * 3

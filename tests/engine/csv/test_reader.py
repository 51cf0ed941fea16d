"""Facts about the strict reader: what arrives, what is refused, and how rows are numbered."""

from __future__ import annotations

import codecs
from pathlib import Path

import pyarrow as pa
import pytest

from roster_etl.engine.csv.reader import STRICT_LIMITS, CsvLimits, RawFile, raw_file_of, read_csv, read_header
from roster_etl.frames.arrow import FINDINGS
from roster_etl.spec.findings import Finding
from roster_etl.store.files.spool import spool_pieces
from tests.engine.readings import as_reading, reading
from tests.engine.reference import Reading

HUGE = b"x" * 10_000_000


def found(file: RawFile) -> list[tuple[str, str, int | None]]:
    """Return severity, code and row of each finding."""
    return [(row["severity"], row["code"], row["row"]) for row in file.findings.to_pylist()]


def values(content: bytes) -> list[tuple[str | None, ...]]:
    return list(reading(content).records.values())


@pytest.mark.parametrize(
    "text", ["NULL", "NA", "None", "nan", "N/A", "007", "1E5", "=SUM(1)", "O'Brien", " padded\t", "\u00a0", "\u200b"]
)
def test_text_arrives_as_it_was_sent(text: str) -> None:
    assert values(f"a,b\n1,{text}\n{text},1\n".encode()) == [("1", text), (text, "1")]


def test_empty_cells_are_null_quoted_or_not() -> None:
    assert values(b'a,b,c\n1,,""\n') == [("1", None, None)]


def test_a_nul_stays_in_its_cell() -> None:
    assert values(b"a,b\nx\0y,\0\n") == [("x\0y", "\0")]


@pytest.mark.parametrize("start", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r", b"\r\n\n"])
def test_every_line_end_parts_records_with_and_without_bom(start: bytes, end: bytes) -> None:
    file = reading(start + end.join((b"a,b", b"1,2", b'"3\r\n4",5', b"")))

    assert file == Reading(header=("a", "b"), records={2: ("1", "2"), 3: ("3\r\n4", "5")}, rows_read=2)


def test_a_bom_in_the_first_cell_of_a_record_is_text() -> None:
    assert values(b"a,b\n\xef\xbb\xbf1,2\n") == [("\ufeff1", "2")]


def test_a_missing_last_line_end_is_no_damage() -> None:
    assert values(b"a,b\n1,2") == [("1", "2")]


def test_header_names_lose_outer_white_space_and_bom_only() -> None:
    assert read_csv(b'\xef\xbb\xbf Student ID ,"a ""b""",,Student ID\n').header == ("Student ID", 'a "b"', "", "Student ID")


def test_empty_lines_are_no_records_and_many_lines_in_a_cell_are_one() -> None:
    assert list(reading(b'\n\na,b\n\n1,"x\n\ny"\n\n\n3,4\n').records) == [2, 3]


def test_rows_of_commas_only_are_counted_and_ignored_whatever_their_width() -> None:
    file = reading(b'a,b\n,\n1,2\n,,,\n"",""\n3,4\n')

    assert (list(file.records), file.rows_read, file.refused_records) == ([3, 6], 5, {})


def test_white_space_alone_is_a_value() -> None:
    assert values(b"a,b\n ,\n") == [(" ", None)]


@pytest.mark.parametrize("content", [b"", b"\n\r\n", codecs.BOM_UTF8])
def test_an_empty_file_has_no_header_and_is_left_to_the_caller(content: bytes) -> None:
    file = read_csv(content)

    assert (file.header, file.rows_read, file.refused, file.findings.num_rows) == ((), 0, None, 0)


def test_a_header_only_file_has_no_rows_and_is_left_to_the_caller() -> None:
    file = read_csv(b"a,b\n")

    assert (file.header, file.rows_read, file.refused, file.table.num_rows, file.table.num_columns) == (("a", "b"), 0, None, 0, 2)


def test_a_ragged_row_is_refused_alone_and_kept_as_evidence() -> None:
    file = read_csv(b"a,b\n1,2\n3\n4,5,6\n7,8\n")

    assert found(file) == [("reject", "ragged_row", 3), ("reject", "ragged_row", 4)]
    assert [(d.row, d.code, d.cells) for d in file.damaged] == [(3, "ragged_row", ("3",)), (4, "ragged_row", ("4", "5", "6"))]
    assert file.rows.to_pylist() == [2, 5]


@pytest.mark.parametrize("line", [b'Robert "Bob",x', b'6" pipe,x', b'a "b, c" d', b' "x",y'])
def test_a_stray_quote_refuses_its_record_where_the_line_end_is_certain(line: bytes) -> None:
    file = reading(b"a,b\n1,2\n" + line + b'\n"3",4\n')

    assert file.refused_records == {3: "malformed_csv"}
    assert list(file.records) == [2, 4]


@pytest.mark.parametrize("line", [b'"1,2', b'"1" x,2', b'"1""2,3', b"6'2\",x"])
def test_quoting_that_leaves_boundaries_unsure_refuses_the_file_with_the_row(line: bytes) -> None:
    file = read_csv(b"a,b\n1,2\n" + line + b"\n3,4\n")

    assert (file.refused, found(file), file.table.num_rows) == ("malformed_csv", [("file", "malformed_csv", 3)], 0)
    assert file.header == ("a", "b")


def test_a_closing_quote_without_its_opening_one_casts_doubt_on_the_lines_before() -> None:
    assert reading(b'a,b\n1,line one\nline two"\n').refused == "malformed_csv"


@pytest.mark.parametrize(
    ("content", "refused"),
    [
        (b'a,b\n1, "x, y"\n', None),
        (b'a,b\n1,\t"x"\n', None),
        (b'a, "b"\n1,2\n', "malformed_csv"),
        (b'a,b\n1, "x\n2,y"\n3,4\n', "malformed_csv"),
    ],
)
def test_a_blank_before_an_opening_quote_is_named(content: bytes, refused: str | None) -> None:
    file = read_csv(content)

    assert file.refused == refused
    assert "blank stands before an opening quote" in " ".join(file.findings.column("message").to_pylist()).lower()


def test_a_strict_format_names_it_too() -> None:
    file = read_csv(b'a,b\n1, "x"\n', limits=STRICT_LIMITS)

    assert file.findings.column("message").to_pylist()[0].startswith("Record 2: a blank stands before an opening quote")


def test_quoted_names_with_other_separators_are_recognized() -> None:
    (message,) = read_csv(b'"School_id";"Name"\n1;2\n').findings.column("message").to_pylist()

    assert "separated by semicolons" in message


def test_a_broken_header_refuses_the_file() -> None:
    assert found(read_csv(b'a"x,b\n1,2\n')) == [("file", "malformed_csv", 1)]


@pytest.mark.parametrize("again", [b"id,name", b'"id","name"', b" id,name ", b"\xef\xbb\xbfid,name"])
def test_a_repeated_header_is_refused_and_the_rest_stays(again: bytes) -> None:
    file = reading(b"id,name\n1,a\n" + again + b"\n2,name\n")

    assert file == Reading(
        header=("id", "name"), records={2: ("1", "a"), 4: ("2", "name")}, refused_records={3: "repeated_header"}, rows_read=3
    )


def test_a_ten_megabyte_cell_is_a_finding() -> None:
    for cell in (HUGE, b'"' + HUGE + b'\n,"""'):
        assert reading(b"a,b\n1,2\n3," + cell + b"\n5,6\n") == Reading(
            header=("a", "b"), records={2: ("1", "2"), 4: ("5", "6")}, refused_records={3: "too_long"}, rows_read=3
        )


def test_a_record_longer_than_a_window_is_read_where_its_cells_are_short_enough() -> None:
    assert values(b"a,b\n" + b"x" * 1_000_000 + b"," + b"y" * 1_000_000 + b"\n1,2\n")[1] == ("1", "2")


def test_the_length_of_a_cell_is_counted_in_characters() -> None:
    limits = CsvLimits(cell_chars=3)

    assert reading('a,b\nééé,"x""y"\nabcd,1\n'.encode(), limits=limits).refused_records == {3: "too_long"}


def test_two_thousand_columns_are_read() -> None:
    file = read_csv(b"\n".join([b",".join(b"c%d" % i for i in range(2000))] + [b",".join([b"v"] * 2000)] * 3))

    assert (file.refused, file.table.num_rows, file.table.num_columns) == (None, 3, 2000)


def test_too_many_columns_and_too_many_bytes_refuse_the_file() -> None:
    assert found(read_csv(b"," * 5000 + b"\n")) == [("file", "unrecognised_headers", 1)]
    assert read_csv(b"a,b\n1,2\n", limits=CsvLimits(file_bytes=7)).refused == "too_long"
    assert read_csv("é,b\n1,2\n".encode("cp1252"), encoding="cp1252", limits=CsvLimits(file_bytes=8)).refused == "too_long"
    assert read_csv(b"abc,b\n1,2\n", limits=CsvLimits(cell_chars=2)).refused == "too_long"


def test_a_limit_beyond_the_offsets_of_a_survey_is_refused() -> None:
    with pytest.raises(ValueError, match="2 GiB"):
        CsvLimits(file_bytes=1 << 31)


def test_few_undecodable_records_are_refused_alone() -> None:
    file = read_csv(b"a,b\n" + b"1,2\n" * 50 + b"\xe9,\xff\n" + b"3,4\n" * 49)

    assert found(file) == [("reject", "invalid_encoding", 52)]
    assert file.damaged[0].cells == ("\ufffd", "\ufffd")
    assert (file.rows_read, file.table.num_rows) == (100, 99)


def test_more_than_one_in_a_hundred_undecodable_records_refuse_the_file_and_are_named() -> None:
    file = read_csv(b"a,b\n" + b"1,2\n" * 96 + b"\xe9,x\n" * 2)

    assert (file.refused, found(file)) == ("invalid_encoding", [("file", "invalid_encoding", 98)])
    assert "98, 99" in file.findings["message"][0].as_py()
    assert file.findings["count"][0].as_py() == 2


def test_no_undecodable_record_is_tolerated_where_the_limit_says_so() -> None:
    content = b"a,b\n" + b"1,2\n" * 500 + b"\xe9,x\n"

    assert read_csv(content).refused is None
    assert read_csv(content, limits=CsvLimits(undecodable_pct=0)).refused == "invalid_encoding"


def test_a_file_that_ends_inside_a_character_is_refused() -> None:
    content = b"a,b\n" + b"1,2\n" * 500 + "1,é".encode()

    assert read_csv(content).refused is None
    assert read_csv(content[:-1]).refused == "invalid_encoding"


def test_an_undecodable_header_refuses_the_file() -> None:
    assert found(read_csv(b"a,\xe9\n1,2\n")) == [("file", "invalid_encoding", 1)]


def test_a_declared_legacy_encoding_is_read_with_an_info_finding() -> None:
    file = read_csv("a,b\nMuñoz,€\n".encode("cp1252"), encoding="cp1252")

    assert as_reading(file).records == {2: ("Muñoz", "€")}
    assert found(file) == [("info", "invalid_encoding", None)]


def test_findings_have_the_schema_of_findings_whether_there_are_some_or_none() -> None:
    for content in (b"a,b\n1,2\n", b"a,b\n1\n", b'a,b\n"1\n', b""):
        assert read_csv(content).findings.schema.equals(FINDINGS)


def test_each_column_is_one_chunk_of_text() -> None:
    file = read_csv(b"a,b\n" + b"x,\n" * 400_000)

    assert [column.num_chunks for column in file.table.columns] == [1, 1]
    assert file.table.schema == pa.schema([("c0", pa.string()), ("c1", pa.string())])


def test_evidence_beyond_its_room_is_counted_but_not_kept() -> None:
    file = read_csv(b"a,b\n" + b"12345678\n" * 3, limits=CsvLimits(evidence_bytes=20))

    assert [damaged.cells for damaged in file.damaged] == [("12345678",), ("12345678",), ()]


def test_a_run_of_damaged_records_between_good_ones_hides_none_of_either() -> None:
    lines = [b'x"y,%d' % i if 100 < i < 3000 and i % 7 else b'"%d",z' % i for i in range(5000)]
    file = reading(b"a,b\n" + b"\n".join(lines))

    assert sorted([*file.records, *file.refused_records]) == list(range(2, 5002))
    assert set(file.refused_records) == {i + 2 for i, line in enumerate(lines) if line.startswith(b"x")}


@pytest.mark.parametrize(
    "content", [b"id,name\n1,Ann\n", b"\xef\xbb\xbfid, name \r\n", b"\n\nid,name", b'"id","name"\n1,"open\n']
)
def test_a_header_can_be_read_alone(content: bytes) -> None:
    assert read_header(content) == ("id", "name")


def test_the_header_of_nothing_is_empty() -> None:
    assert read_header(b"\n\r\n") == ()


@pytest.mark.parametrize(
    ("content", "code"), [(b"i\xffd\n", "invalid_encoding"), (b'i"d\n', "malformed_csv"), (b"\xff\xfei\0", "invalid_encoding")]
)
def test_a_header_that_cannot_be_read_refuses_the_file(content: bytes, code: str) -> None:
    finding = read_header(content)

    assert isinstance(finding, Finding)
    assert (finding.severity, finding.code) == ("file", code)


def test_where_nothing_is_forgiven_one_broken_record_refuses_the_file() -> None:
    good = b"id,name\n" + b"1,Ann\n" * 500
    strict = [read_csv(good + bad, limits=STRICT_LIMITS).refused for bad in (b"2,B\xff\n", b'2,B"b"\n', b"")]
    usual = [read_csv(good + bad).refused for bad in (b"2,B\xff\n", b'2,B"b"\n', b"")]

    assert strict == ["invalid_encoding", "malformed_csv", None]
    assert usual == [None, None, None]


def test_records_that_are_known_stand_for_a_file() -> None:
    raw = raw_file_of(("id", "name"), [4, 9], [["1", "Ann"], ["2", ""]])

    assert (raw.header, raw.rows.to_pylist(), raw.rows_read, raw.refused) == (("id", "name"), [4, 9], 2, None)
    assert raw.table.to_pydict() == {"c0": ["1", "2"], "c1": ["Ann", None]}


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n" + b"".join(b"%d,x\n" % n for n in range(3000)),
        b"\xef\xbb\xbfa,b\r\n" + b'"1, 2","line\r\nbreak"\r\n' * 1500 + b"3,4",
        b"a,b\n" + b"1,2\n" * 900 + b"1\n" + b'x "y",2\n' + b"\xff,3\n" + b"5,6\n" * 900,
        b"a,b\n" + b"1,2\n" * 900 + b'"open,3\n' + b"5,6\n" * 9,
        b"a;b\n1;2\n",
        b"a,b\n" + "é,ü\n".encode("cp1252") * 400,
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_a_mapped_file_reads_as_its_bytes_do(content: bytes, encoding: str, tmp_path: Path) -> None:
    mapped = spool_pieces((content,), tmp_path, min_bytes=1)
    from_memory, from_file = (read_csv(source, encoding=encoding, window=4096) for source in (content, mapped))

    assert not isinstance(mapped, bytes)
    assert list(tmp_path.iterdir()) == []  # the file has no name
    assert from_file == from_memory
    assert read_header(mapped, encoding=encoding) == read_header(content, encoding=encoding)


@pytest.mark.parametrize(
    ("broken", "words"), [(10, "2, 3, 4, 5, 6, 7, 8, 9, 10, 11. "), (12, "2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more. ")]
)
def test_ten_undecodable_records_are_named_and_the_others_counted(broken: int, words: str) -> None:
    file = read_csv(b"a,b\n" + b"1,Zo\xeb\n" * broken)

    assert words in str(file.findings.to_pylist()[0]["message"])

"""A second reader, written to be obviously right: one byte after the other, no numpy, no pyarrow, no regular expression.

Only for comparing with `roster_etl.engine.csv.reader`: same grammar, same verdicts, no shared code.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Reading:
    """What a reader makes of a file: comparable with `==`."""

    header: tuple[str, ...] = ()
    records: dict[int, tuple[str | None, ...]] = field(default_factory=dict)
    refused_records: dict[int, str] = field(default_factory=dict)
    rows_read: int = 0
    refused: str | None = None
    refused_at: int | None = None


class _Broken(Exception):
    pass


def read(content: bytes, *, longest_cell: int = 1 << 20) -> Reading:
    """Read `content`, UTF-8 text without the marks of another encoding."""
    if content[:3] == b"\xef\xbb\xbf":
        content = content[3:]
    records: list[tuple[list[bytes], list[bool], bool]] = []
    place, broken = 0, False
    while place < len(content):
        if content[place : place + 1] in (b"\n", b"\r"):
            place += 1
            continue
        try:
            cells, quoted, stray, place = _record(content, place)
        except _Broken:
            broken = True
            break
        records.append((cells, quoted, stray))
    if not records and not broken:
        return Reading()
    return _judged(content, records, broken, longest_cell)


def _judged(content: bytes, records: list[tuple[list[bytes], list[bool], bool]], broken: bool, longest_cell: int) -> Reading:
    if not records or records[0][2]:
        return Reading(refused="malformed_csv", refused_at=1)
    try:
        header = tuple(cell.decode().strip().strip(" \t\ufeff\u00a0") for cell in records[0][0])
    except UnicodeDecodeError:
        return Reading(refused="invalid_encoding", refused_at=1)
    body = records[1:]
    if broken:
        count = len(body) + 1
        return Reading(header=header, rows_read=count, refused="malformed_csv", refused_at=count + 1)
    verdicts = [_verdict(cells, quoted, stray, header, longest_cell) for cells, quoted, stray in body]
    undecodable = [row for row, verdict in enumerate(verdicts, 2) if verdict == "invalid_encoding"]
    if undecodable and (len(undecodable) * 100 > len(body) or _cut(content)):
        return Reading(header=header, rows_read=len(body), refused="invalid_encoding", refused_at=undecodable[0])
    reading = Reading(header=header, rows_read=len(body))
    for row, ((cells, _, _), verdict) in enumerate(zip(body, verdicts, strict=True), 2):
        if verdict == "":
            reading.records[row] = tuple(cell.decode() or None for cell in cells)
        elif verdict != "blank":
            reading.refused_records[row] = verdict
    return reading


def _verdict(cells: list[bytes], quoted: list[bool], stray: bool, header: tuple[str, ...], longest_cell: int) -> str:
    try:
        texts = [cell.decode() for cell in cells]
    except UnicodeDecodeError:
        return "invalid_encoding"
    if stray:
        return "malformed_csv"
    if any(len(text) > longest_cell for text in texts):
        return "too_long"
    if not any(texts) and (len(texts) == len(header) or not any(quoted)):
        return "blank"
    if len(texts) != len(header):
        return "ragged_row"
    if [text.strip(" \t\ufeff\u00a0").lower() for text in texts] == [name.lower() for name in header]:
        return "repeated_header"
    if all(not text or is_ruler(text) for text in texts):
        return "not_a_record"
    return ""


def is_ruler(text: str) -> bool:
    """Tell whether a cell is drawn, not written."""
    return bool(text.strip()) and set(text) <= set("-=_*~+\u2013\u2014\u2500\u2501\u2550 \t\n\r\f\v")


def _record(content: bytes, place: int) -> tuple[list[bytes], list[bool], bool, int]:
    """Read one record. Raises: _Broken: its end is uncertain."""
    cells: list[bytes] = []
    quoted: list[bool] = []
    strays, closing_stray = 0, False
    while True:
        cell = b""
        quoted.append(content[place : place + 1] == b'"')
        if quoted[-1]:
            place += 1
            while True:
                if place == len(content):
                    raise _Broken
                if content[place : place + 2] == b'""':
                    cell, place = cell + b'"', place + 2
                elif content[place : place + 1] == b'"':
                    place += 1
                    break
                else:
                    cell, place = cell + content[place : place + 1], place + 1
            if content[place : place + 1] not in (b"", b",", b"\n", b"\r"):
                raise _Broken
        else:
            while content[place : place + 1] not in (b"", b",", b"\n", b"\r"):
                cell, place = cell + content[place : place + 1], place + 1
            strays += cell.count(b'"')
            closing_stray = closing_stray or cell.endswith(b'"')
        cells.append(cell)
        if content[place : place + 1] != b",":
            break
        place += 1
    if strays % 2 and closing_stray:
        raise _Broken
    return cells, quoted, strays > 0, place


def _cut(content: bytes) -> bool:
    """Tell whether the last character of `content` lacks bytes."""
    for length in (1, 2, 3):
        tail = content[-length:]
        if len(tail) == length and tail[0] >= 0xC0:
            needed = 2 if tail[0] < 0xE0 else 3 if tail[0] < 0xF0 else 4
            return length < needed and all(0x80 <= byte < 0xC0 for byte in tail[1:])
    return False

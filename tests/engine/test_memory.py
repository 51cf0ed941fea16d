"""Receiving, reading and validating a large file takes at most 2.5 times its size in memory, in any encoding."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

MOST = 2.5
_MEASURE = """
import sys
from functools import partial
from pathlib import Path

from roster_etl.engine.csv.reader import read_csv
from roster_etl.engine.csv.redact_columns import blank_columns
from roster_etl.engine.validation.column_checks import ReferencedFile
from roster_etl.engine.validation.validate import validate_file
from roster_etl.frames.arrow import release_memory, use_jemalloc
from roster_etl.store.archive import Archive
from roster_etl.store.files.spool import spool_pieces
from roster_etl.vendors import vendor

large, scratch, encoding = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
join = partial(spool_pieces, scratch=scratch)
archive = Archive(str(scratch / "archive"))


def memory(field):
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field + ":")]
    return int(line.split()[1]) * 1024


def receive(path):
    content = path.read_bytes()
    blanked = blank_columns(content, lambda name: name == "Username", encoding=encoding, join=join)
    return archive.put(blanked, original_sha256="0" * 64).key


def validate(file, path, schools=None):
    raw = read_csv(spool_pieces((path.read_bytes(),), scratch), encoding=encoding, join=join)  # nothing else refers to the bytes
    return validate_file(raw, file, referenced_files={"schools": schools} if schools else {}).rows_accepted


def times(work):
    release_memory()
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # begins a new peak
    found = work()
    return found, (memory("VmHWM") - before) / large.stat().st_size


use_jemalloc()
files = {file.name: file for file in vendor("clever").format.files}
small = Path(sys.argv[1] + ".small")
small.write_text("School_id,School_name,School_number\\n" + "".join(f"s{n},S{n},{n}\\n" for n in range(40)), encoding)
raw = read_csv(small.read_bytes(), encoding=encoding)
known = ReferencedFile(rows=validate_file(raw, files["schools"]).rows, file_name="schools.csv")
with large.open(encoding=encoding, errors="replace") as file:
    small.write_text("".join(next(file) for _ in range(400)), encoding)
validate(files["students"], small, known)  # loads what is loaded once
receive(small)
received, accepted = times(lambda: receive(large)), times(lambda: validate(files["students"], large, known))
print(received[1], *accepted)
"""


def students(path: Path, count: int, encoding: str = "utf-8") -> Path:
    """Write a students file of the size of a state's, about 220 bytes a row in UTF-8."""
    header = (
        "School_id,Student_id,Student_number,State_id,Last_name,Middle_name,First_name,Grade,Gender,DOB,Race,Student_street,"
        "Student_city,Student_state,Student_zip,Student_email,Contact_relationship,Contact_type,Contact_name,Contact_phone,Username"
    )
    with path.open("w", encoding=encoding) as out:
        out.write(f"{header}\n")
        out.writelines(
            f"s{n % 40},st{n},n{n},{9_000_000 + n},Name{n % 5000},M,First{n % 3000},{n % 12 + 1},M,01/{n % 28 + 1:02d}/2012,W,"
            f'"{n % 999} Main Street, Apt. {n % 40}",Châteauroux,IL,62701,st{n}@example.org,Mother,parent/guardian,Contact {n},5551234567,'
            f"username{n}\n"
            for n in range(count)
        )
    return path


def narrow(path: Path, count: int, encoding: str) -> Path:
    """Write a students file of 76 bytes a row; one row in 200 is not UTF-8."""
    with path.open("w", encoding="latin-1") as out:
        out.write(f"{NARROW},Student_street\n")
        out.writelines(f"{short(n)},{'1 Mäin St' if n % 200 == 0 else '1 Main St'}\n" for n in range(count))
    return path


def quoted(path: Path, count: int, encoding: str) -> Path:
    """Write a students file whose cells are all quoted, one of them of several lines."""
    with path.open("w", encoding=encoding) as out:
        out.write(f"{NARROW},Student_street\n")
        for n in range(count):
            cells = ",".join(f'"{cell}"' for cell in short(n).split(","))
            out.write(f'{cells},"{n} ""Main""\nStreet, Apt. 4\r\nFloor {n % 9}"\n')
    return path


NARROW = "School_id,Student_id,Student_number,State_id,Last_name,Middle_name,First_name,Grade,Gender,DOB,Race"


def short(n: int) -> str:
    return f"s{n % 40},st{n},n{n},{9_000_000 + n},Name{n % 5000},M,First{n % 3000},{n % 12 + 1},M,01/{n % 28 + 1:02d}/2012,W"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measured from Linux's /proc")
@pytest.mark.parametrize(
    ("write", "rows", "encoding", "refused"),
    [
        (students, 200_000, "utf-8", 0),
        (students, 200_000, "cp1252", 0),
        (narrow, 400_000, "utf-8", 2_000),
        (quoted, 150_000, "utf-8", 0),
    ],
    ids=["utf-8", "cp1252", "narrow-undecodable", "quoted"],
)
def test_a_large_file_takes_at_most_so_many_times_its_size(
    tmp_path: Path, write: Callable[[Path, int, str], Path], rows: int, encoding: str, refused: int
):
    path = write(tmp_path / "students.csv", rows, encoding)
    code = [sys.executable, "-c", _MEASURE, str(path), str(tmp_path / "scratch"), encoding]
    received, accepted, validated = subprocess.run(code, capture_output=True, text=True, check=True).stdout.split()

    assert int(accepted) == rows - refused
    assert float(received) <= MOST
    assert float(validated) <= MOST

"""Reading and validating a large file takes at most 2.5 times its size in memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

MOST = 2.5
_MEASURE = """
import sys
from pathlib import Path

from roster_etl.engine.csv.reader import read_csv
from roster_etl.engine.validation.column_checks import ReferencedFile
from roster_etl.engine.validation.validate import validate_file
from roster_etl.frames.arrow import release_memory, use_jemalloc
from roster_etl.store.files.spool import spool
from roster_etl.vendors import vendor


def memory(field):
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field + ":")]
    return int(line.split()[1]) * 1024


def validate(file, path, schools=None):
    raw = read_csv(spool(path.read_bytes(), Path(sys.argv[2])))  # nothing else refers to the bytes
    return validate_file(raw, file, referenced_files={"schools": schools} if schools else {})


use_jemalloc()
files = {file.name: file for file in vendor("clever").format.files}
large, small = Path(sys.argv[1]), Path(sys.argv[1] + ".small")
small.write_text("School_id,School_name,School_number\\n" + "".join(f"s{n},S{n},{n}\\n" for n in range(40)))
known = ReferencedFile(rows=validate(files["schools"], small).rows, file_name="schools.csv")
with large.open("rb") as file:
    small.write_bytes(file.read(100_000).rpartition(b"\\n")[0])
validate(files["students"], small, known)  # loads what is loaded once
release_memory()
before = memory("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # begins a new peak
result = validate(files["students"], large, known)
print(result.rows_accepted, (memory("VmHWM") - before) / large.stat().st_size)
"""


def students(path: Path, count: int) -> Path:
    """Write a students file of the size of a state's, about 220 bytes a row."""
    header = (
        "School_id,Student_id,Student_number,State_id,Last_name,Middle_name,First_name,Grade,Gender,DOB,Race,Student_street,"
        "Student_city,Student_state,Student_zip,Student_email,Contact_relationship,Contact_type,Contact_name,Contact_phone,Username"
    )
    with path.open("w", encoding="utf-8") as out:
        out.write(f"{header}\n")
        out.writelines(
            f"s{n % 40},st{n},n{n},{9_000_000 + n},Name{n % 5000},M,First{n % 3000},{n % 12 + 1},M,01/{n % 28 + 1:02d}/2012,W,"
            f'"{n % 999} Main Street, Apt. {n % 40}",Springfield,IL,62701,st{n}@example.org,Mother,parent/guardian,Contact {n},5551234567,'
            f"username{n}\n"
            for n in range(count)
        )
    return path


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measured from Linux's /proc")
def test_a_large_file_takes_at_most_so_many_times_its_size(tmp_path: Path):
    path = students(tmp_path / "students.csv", 200_000)
    code = [sys.executable, "-c", _MEASURE, str(path), str(tmp_path / "scratch")]
    accepted, times = subprocess.run(code, capture_output=True, text=True, check=True).stdout.split()

    assert int(accepted) == 200_000
    assert float(times) <= MOST

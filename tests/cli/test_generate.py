"""``sample``, ``generate``, ``new-vendor``, ``doctor``, ``migrate``."""

from __future__ import annotations

from pathlib import Path

from roster_etl.demo_server.sftp_server import Account, SftpServer
from roster_etl.projections.samples import write_sample
from roster_etl.vendors import vendor
from tests.cli.calling import call


def test_a_sample_is_the_same_for_the_same_seed(tmp_path: Path, home: Path) -> None:
    answers = [
        call("sample", "clever", tmp_path / name, "--students", "20", "--seed", "3", "--json", home=home) for name in ("a", "b")
    ]

    assert [answer.code for answer in answers] == [0, 0]
    assert "students.csv" in answers[0].document["files"]
    assert (tmp_path / "a" / "students.csv").read_bytes() == (tmp_path / "b" / "students.csv").read_bytes()


def test_what_is_committed_is_what_the_specs_generate() -> None:
    answer = call("generate", "--check", "--json")

    assert answer.document == {"check": True, "differing": []}
    assert answer.code == 0


def test_a_file_that_differs_is_named_with_exit_code_1_and_written_without_check(tmp_path: Path, monkeypatch) -> None:
    _empty_checkout(tmp_path, monkeypatch)

    checked = call("generate", "--check")
    written = call("generate", "--json")
    again = call("generate", "--check")

    assert checked.code == 1
    assert "differs  docs/findings.md" in checked.out
    assert {"expectations/clever/students.json", "tests/orchestration/asset_keys.txt"} <= set(written.document["written"])
    assert "clever/upload\n" in (tmp_path / "tests/orchestration/asset_keys.txt").read_text()
    assert again.code == 0


def _empty_checkout(folder: Path, monkeypatch) -> None:
    (folder / "pyproject.toml").touch()
    (folder / "roster_etl" / "vendors").mkdir(parents=True)
    monkeypatch.chdir(folder)


def test_outside_a_checkout_there_is_nothing_to_generate(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)

    answers = [call("generate", "--check"), call("new-vendor", "acme_sis")]

    assert [answer.code for answer in answers] == [2, 2]
    assert all("run it in a checkout of the project" in answer.err for answer in answers)
    assert list(tmp_path.iterdir()) == []


def test_a_new_vendor_is_a_copy_of_the_template(tmp_path: Path, monkeypatch) -> None:
    _empty_checkout(tmp_path, monkeypatch)

    answer = call("new-vendor", "acme_sis", "--json")

    assert answer.code == 0
    assert (tmp_path / "roster_etl/vendors/acme_sis" / "__init__.py").is_file()
    assert call("new-vendor", "acme_sis", "--json").document["error"]["code"] == "vendor_exists"


def test_the_doctor_finds_nothing_wrong_with_a_home_that_imports_by_command(told: Path) -> None:
    answer = call("doctor", "--json", home=told)

    assert answer.code == 0
    assert {"settings", "home", "warehouse", "archive", "daemon", "lincoln/clever landing"} <= {
        line["what"] for line in answer.document
    }


def test_the_doctor_logs_in_and_says_what_is_not_there_yet(home: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("LINCOLN_PASSWORD", "open sesame")
    with SftpServer(tmp_path / "sftp", [Account(user="lincoln", password="open sesame")]) as server:
        write_sample(vendor("clever"), server.home("lincoln"), students=20, seed=1)
        (server.home("lincoln") / "students.csv").unlink()
        call("districts", "add", "lincoln", "--format", "clever", "--path", server.url("lincoln"), home=home)
        file = home / "districts" / "lincoln.toml"
        unpinned = call("doctor", "--district", "lincoln", home=home)
        file.write_text(file.read_text() + f'known_hosts = "{server.known_hosts}"\npassword_env = "LINCOLN_PASSWORD"\n')
        pinned = call("doctor", "--district", "lincoln", home=home)

    assert "WRONG  lincoln/clever landing: " in unpinned.out
    assert "no host key is pinned" in unpinned.out
    assert "ok     lincoln/clever landing: " in pinned.out
    assert "not there yet: students.csv" in pinned.out
    assert (unpinned.code, pinned.code) == (1, 1)  # no daemon watches this landing folder
    assert "no sensor watches" in pinned.out
    assert "sesame" not in pinned.out + pinned.err


def test_migrate_says_what_was_and_is(home: Path) -> None:
    first, second = call("migrate", "--json", home=home), call("migrate", "--json", home=home)

    assert (first.code, first.document["before"]) == (0, None)
    assert second.document["before"] == second.document["now"] == first.document["now"]

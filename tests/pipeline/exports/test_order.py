"""The moments that an export is of: what is published meanwhile, clocks that run ahead, and what was purged since."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from roster_etl.pipeline.exports import export_roster
from roster_etl.pipeline.maintenance.purge import PurgeTarget, purge
from roster_etl.pipeline.steps import conclude
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_next_day, write_sample
from roster_etl.vendors import vendor
from tests.cli.calling import call
from tests.exporting import make_home

pytestmark = pytest.mark.usefixtures("direct_imports")
KINDS = ("clever", "edfi", "canonical")
"""Files of a vendor, records, and tables: each is read by code of its own."""
OPTIONS = {"edfi": ("--option", "user_ids=kinded")}


class Ahead(datetime):
    """A clock that runs an hour ahead."""

    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + timedelta(hours=1)


@pytest.fixture(scope="module")
def uploads(tmp_path_factory) -> Path:
    """Two days of a district, in the folders ``a`` and ``b``."""
    folder = tmp_path_factory.mktemp("uploads")
    write_sample(vendor("clever"), folder / "a", students=20, seed=5)
    write_next_day(vendor("clever"), folder / "a", folder / "b", seed=6)
    return folder


@pytest.fixture
def home(saved, tmp_path, uploads) -> Path:
    """A home where one day of the district ``lincoln`` was imported."""
    saved.copy("export-moments", lambda folder, url: make_home(folder, url, uploads / "a"), tmp_path)
    return tmp_path / "home"


def import_day(home: Path, upload: Path) -> None:
    assert call("import", upload, "--district", "lincoln", "--format", "clever", home=home).code == 0


def exported(home: Path, name: str, to: Path, *more: str) -> dict:
    answer = call("export", name, "--district", "lincoln", "--to", to, "--json", *OPTIONS.get(name, ()), *more, home=home)
    assert answer.code == 0, answer
    return answer.document


@pytest.mark.parametrize("name", KINDS)
def test_an_import_that_is_published_meanwhile_is_not_in_the_export(home, tmp_path, uploads, monkeypatch, name):
    before = exported(home, name, tmp_path / "before")
    open_target = export_roster.open_target

    def slow(*given):
        import_day(home, uploads / "b")
        return open_target(*given)

    with monkeypatch.context() as patched:
        patched.setattr(export_roster, "open_target", slow)
        meanwhile = exported(home, name, tmp_path / "meanwhile")
    after = exported(home, name, tmp_path / "after")

    assert (meanwhile["as_of_import"], after["as_of_import"]) == (1, 2)
    assert meanwhile["files"] == before["files"] != after["files"]


@pytest.mark.parametrize("name", KINDS)
def test_what_was_published_by_a_clock_that_was_ahead_is_in_the_export(home, tmp_path, uploads, monkeypatch, name):
    with monkeypatch.context() as patched:
        patched.setattr(conclude, "datetime", Ahead)
        import_day(home, uploads / "b")

    document = exported(home, name, tmp_path / "now")

    assert document["as_of_import"] == 2
    assert document["as_of"] > f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}Z"
    assert document["files"] != exported(home, name, tmp_path / "then", "--as-of", "import:1")["files"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        pytest.param(("--user", "student:007"), "no_delta", id="a person"),
        pytest.param(("--older-than", "9000d"), None, id="nothing that was sent"),
        pytest.param((), "no_delta", id="all"),
    ],
)
def test_a_delta_is_refused_where_it_cannot_say_what_was_purged(home, tmp_path, uploads, words, code):
    assert call("purge", "--district", "lincoln", *words, "--yes", home=home).code == 0
    import_day(home, uploads / "b")

    answer = call(
        *("export", "oneroster", "--district", "lincoln", "--to", tmp_path / "out", "--since", "1"),
        *("--option", "user_ids=kinded", "--json"),
        home=home,
    )

    assert (answer.document.get("error") or {}).get("code") == code
    assert (tmp_path / "out").exists() is (code is None)
    if code:
        assert "import 2 removed data for good" in answer.document["error"]["message"]


def test_a_delta_is_refused_where_what_had_ended_since_was_purged(home, tmp_path, uploads):
    import_day(home, uploads / "b")
    with closing(Workspace.open(home)) as workspace:
        target = PurgeTarget(district_id="lincoln", age=timedelta(days=1))
        purge(workspace, target, by="A. Steward", now=datetime.now(UTC) + timedelta(days=2))

    words = ("export", "oneroster", "--district", "lincoln", "--to", tmp_path / "out", "--json")
    answer = call(*words, "--since", "1", home=home)

    assert (answer.code, answer.document["error"]["code"]) == (2, "no_delta")

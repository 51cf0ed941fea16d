"""Files go on from uploads that still count, and from no others."""

from contextlib import contextmanager
from types import SimpleNamespace

from roster_etl.pipeline.uploads.effective_uploads import effective_uploads


class Home:
    """A home with these imports of one feed, newest first."""

    def __init__(self, *rows):
        self.rows = list(rows)
        self.warehouse = self.archive = self

    @contextmanager
    def read(self):
        yield SimpleNamespace(ledger=SimpleNamespace(imports=lambda *_: self.rows))

    def read_manifest(self, district_id, number):
        return {"members": []}


def row(number, *undoes, status="published"):
    return {"import_id": number, "kind": "undo" if undoes else "upload", "status": status, "summary": {"undoes": list(undoes)}}


def counted(*rows):
    upload = SimpleNamespace(import_id=99, district_id="lincoln", source="oneroster", file_set="")
    return [number for number, _ in effective_uploads(Home(*rows), upload)]


def test_held_uploads_count_and_undone_and_failed_ones_do_not():
    assert counted(row(5, status="held"), row(4, 3), row(3), row(2, status="failed"), row(1)) == [5, 1]


def test_an_upload_whose_undo_was_undone_counts_again():
    assert counted(row(3, 2), row(2, 1), row(1)) == [1]


def test_an_undo_that_counts_again_takes_its_upload_away():
    assert counted(row(4, 3), row(3, 2), row(2, 1), row(1)) == []

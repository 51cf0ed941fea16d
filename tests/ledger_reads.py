"""Count which facts about an import are read from the ledger once it has ended."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from roster_etl.pipeline.reporting import report_files
from roster_etl.store.warehouse import bulk_load

ONCE = {"import": 1, "files": 1, "findings": 1, "checks": 1, "report documents": 1}
"""What ending one import may read."""

_FACTS = {
    "import": r"SELECT .*imports\.options.* FROM imports WHERE imports\.import_id = ",
    "files": r"SELECT .*import_files\.sha256.* FROM import_files WHERE",
    "findings": r"SELECT .*findings\.message.* FROM findings WHERE",
    "checks": r"SELECT .*checks\.details.* FROM checks WHERE",
}
_END = r"UPDATE imports SET status=.*finished_at=.*summary="


@contextmanager
def counted_reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Count the reads of each fact, and the report documents that are built, after the ledger says that an import ended.

    A second import that ends while this is counted begins a new count.
    """
    counts: Counter[str] = Counter()
    statements: list[str] = []

    def note(statement: str) -> None:
        text = re.sub(r"\s+", " ", statement)
        statements.append(text)
        if re.match(_END, text):
            counts.clear()
        counts.update(fact for fact, shape in _FACTS.items() if re.search(shape, text))

    def before_execute(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        note(statement)

    def fetch(connection: sa.Connection, query: Any, *others: Any) -> Any:
        if connection.dialect.name != "sqlite":  # there, SQLAlchemy executes it
            note(str(query.compile(dialect=connection.dialect)))
        return _FETCH(connection, query, *others)

    def document(*args: Any) -> dict[str, Any]:
        counts["report documents"] += 1
        return _DOCUMENT(*args)

    monkeypatch.setattr(bulk_load, "fetch", fetch)
    monkeypatch.setattr(report_files, "import_document", document)
    sa.event.listen(sa.Engine, "before_cursor_execute", before_execute)
    try:
        yield counts
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", before_execute)
    assert any(re.match(_END, statement) for statement in statements), "no import ended"


_FETCH, _DOCUMENT = bulk_load.fetch, report_files.import_document

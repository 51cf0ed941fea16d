"""The words with which a person says what is a rename: the number of a proposal, the ids of both sides, or all of them.

Belongs here: numbering proposals, and finding those that words name. Ids are for the prompt alone: what a run, a tag or a log keeps has
numbers. Who may be whom is ``pipeline.steps.rename_proposals``.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.spec.errors import PermanentError

ALL, NUMBER = "all", "number"


class BadRename(PermanentError):
    """What is to be taken for a rename was not proposed."""

    code = "bad_rename"
    template = "import {import_id}: {problem}; `roster-etl renames list {import_id}` shows what is proposed"


def numbered(proposed: pa.Table) -> pa.Table:
    """Return proposals (``engine.planning.rename_detection.PROPOSALS``, in their order) with their ``number``, from 1 on, in front."""
    return proposed.add_column(0, NUMBER, pa.array(range(1, proposed.num_rows + 1), pa.int64()))


def chosen(proposed: pa.Table, words: Sequence[str], import_id: int) -> pa.Table:
    """Return those of `proposed` (numbered) that `words` name: ``all``, a number, or ``OLD=NEW``. Raises BadRename."""
    if ALL in words:
        return proposed
    wanted = pa.array([int(word) for word in in_numbers(proposed, words, import_id)], pa.int64())
    return proposed.filter(pc.is_in(proposed.column(NUMBER), value_set=wanted))


def in_numbers(proposed: pa.Table, words: Sequence[str], import_id: int) -> tuple[str, ...]:
    """Return `words` with the number of the proposal for each that names one of `proposed` by ids. Raises BadRename."""
    rows = proposed.select([NUMBER, "old_id", "new_id"]).to_pylist()
    numbers = {f"{row['old_id']}={row['new_id']}": str(row[NUMBER]) for row in rows}
    numbers |= {number: number for number in numbers.values()} | {ALL: ALL}
    if unknown := [place for place, word in enumerate(words, start=1) if word not in numbers]:
        problem = f"word {unknown[0]} of what is to be renamed names none of the {len(rows):,} that are proposed"
        raise BadRename(import_id=import_id, problem=problem)
    return tuple(numbers[word] for word in words)


def says_ids(words: Sequence[str]) -> bool:
    """Return whether one of `words` names a rename by ids."""
    return any("=" in word for word in words)

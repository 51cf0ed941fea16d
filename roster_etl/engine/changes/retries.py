"""Try those rows of the quarantine again that may apply now, or that newer rows replace: the result is that of trying all of them.

The upload is applied until nothing that it changed is waited for by a row that was not tried.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.changes.apply import ChangeInput, ChangeResult, apply_changes
from roster_etl.engine.changes.awaited import NEXT, own_texts, strangers, texts_of_cells, texts_of_ids
from roster_etl.engine.changes.change_findings import RowReference
from roster_etl.engine.changes.change_rows import ChangeFile
from roster_etl.engine.changes.id_changes import rename_retried_rows
from roster_etl.engine.changes.shared_ids import IDENTITY
from roster_etl.mapping.change_plan import ChangePlan


class QuarantineReader(Protocol):
    """The rows of a feed's quarantine, and those of them that were loaded."""

    @property
    def sources(self) -> Sequence[ChangeFile]:
        """The rows that were loaded, validated again."""

    def load(self, texts: pa.Array) -> bool:
        """Load the rows that wait for one of `texts`. Returns whether there were further ones."""

    def load_all(self) -> None:
        """Load all rows."""

    def places_not_loaded(self, texts: pa.Array) -> Sequence[RowReference]:
        """Return the rows that wait for one of `texts` and were not loaded."""


_MOST_ROUNDS = 3  # then all rows are tried: of rows that wait for one another in a chain, each round would release one
Prepare = Callable[[Sequence[ChangeFile]], ChangeInput]
"""Returns the input of the upload with these retried rows."""


def apply_with_retries(
    plan: ChangePlan,
    sources: Sequence[ChangeFile],
    current: Mapping[str, pa.Table],
    quarantine: QuarantineReader,
    prepare: Prepare,
) -> ChangeResult:
    """Apply the `sources` of an upload, with those rows of the `quarantine` that wait for something that they touch.

    Args: current: table → its current versions. The quarantine has loaded what waited for changes before this upload.
    """
    quarantine.load(_texts_of_upload(plan, sources, current))
    rounds = 0
    while True:
        inputs = prepare(quarantine.sources)
        while quarantine.load(_texts_of_strangers(plan, inputs)):
            inputs = prepare(quarantine.sources)
        result = apply_changes(plan, inputs)
        if not quarantine.load(result.touched):
            break
        rounds += 1
        if rounds == _MOST_ROUNDS:
            quarantine.load_all()
    replaced = quarantine.places_not_loaded(result.described)
    return replace(result, superseded=(*result.superseded, *replaced))


def _texts_of_upload(plan: ChangePlan, sources: Sequence[ChangeFile], current: Mapping[str, pa.Table]) -> pa.Array:
    """Return what the upload is sure to touch: new records, and ids that waiting rows give to others. Else it would be applied twice."""
    found = [pa.array([NEXT])]
    for source in sources:
        kind = plan.kind(source.kind)
        own = pc.drop_null(own_texts(kind, source.rows))
        if len(own):
            known = texts_of_ids(kind.table, current[kind.table].column(kind.key[0]))
            found.append(own.filter(pc.invert(pc.is_in(own, value_set=known))))
            found += [strangers(own)] if kind.handler in IDENTITY else []
    return pc.unique(pa.concat_arrays(found))


def _texts_of_strangers(plan: ChangePlan, inputs: ChangeInput) -> pa.Array:
    """Return the texts of rows that give an id to another record which retried rows name: these are rejected as long as those wait."""
    found = [pa.array([], pa.string())]
    for source in inputs.sources:
        if source.is_retried:
            kind = plan.kind(source.kind)
            renamed = rename_retried_rows(inputs.id_changes, kind, source)
            found += [strangers(pc.drop_null(texts)) for texts in texts_of_cells(plan, kind, renamed.rows)]
    return pc.unique(pa.concat_arrays(found))

"""How the files become canonical tables: one column plan for each table."""

from roster_etl.mapping.plan import Mapping

MAPPINGS: tuple[Mapping, ...] = ()

"""How the files become canonical tables: one column plan for each table."""

MAPPINGS: tuple[object, ...] = ()

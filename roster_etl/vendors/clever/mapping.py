"""How Clever's files become canonical tables."""

MAPPINGS: tuple[object, ...] = ()

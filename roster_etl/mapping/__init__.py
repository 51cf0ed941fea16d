"""How columns are mapped: column plans, and plans for applying changes, as data.

Belongs here: the types of these plans, the value functions that they name, and descriptions of them. No I/O, and no execution
(``engine.transform``, ``engine.changes``).
"""

"""Alembic revisions of the warehouse schema.

Belongs here: tables, columns and indexes, revision by revision. Views hold no data: ``store.warehouse.schema`` recreates them
after every migration, as ``canonical.history`` declares them. There is no way back: of a newer schema, restore the backup of before.
"""

HEAD = "0019"

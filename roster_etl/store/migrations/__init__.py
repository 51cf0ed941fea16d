"""Revisions of the warehouse's schema, in Alembic's form.

Belongs here: tables, columns and indexes, revision by revision. Views hold no data: ``store.warehouse.schema`` puts them anew
after every migration, as ``canonical.history`` declares them.
"""

HEAD = "0004"

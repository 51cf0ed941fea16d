"""The canonical tables as they are: one Parquet or CSV file a table, and their description.

Belongs here: the declaration. ``pipeline.exports.table_files`` writes them.
"""

from roster_etl.canonical.roster import TABLES
from roster_etl.exports.plan import PERSON_ID_OPTION, ExportFormat
from roster_etl.spec import Option

EXPORT = ExportFormat(
    name="canonical",
    title="canonical tables",
    kind="tables",
    options=(
        Option("file_type", default="parquet", kind="choice", choices=("parquet", "csv"), meaning="How each table is written."),
        PERSON_ID_OPTION,
    ),
    also_holds=tuple(f"{table.name}.{name}" for table in TABLES.values() for name in (*table.names, "derived", "extensions")),
)

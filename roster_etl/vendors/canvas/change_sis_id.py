"""change_sis_id.csv: ID changes, which apply before all other files of an upload."""

from roster_etl.spec import Choice, Column, File, HeaderPattern, RequireAnyOf
from roster_etl.vendors.canvas.codes import RENAMED

CHANGE_SIS_ID = File(
    name="change_sis_id",
    title="Changes of ids",
    source="change_sis_id.csv",
    key=("type", "old_id", "old_integration_id"),
    columns=(
        Column("old_id", note="The SIS id that the record has now."),
        Column("new_id", note="The SIS id that it is to have; free among records of the type, deleted ones included."),
        Column(
            "old_integration_id",
            note="The integration id that the record has now. Newer than the document; with old_id, both must name one record.",
        ),
        Column(
            "new_integration_id", note="The integration id that it is to have; `<delete>` clears it. Newer than the document."
        ),
        Column(
            "type",
            required=True,
            cell_format=Choice(RENAMED),
            note="What the record is. group_category is newer than the document.",
        ),
    ),
    ordered_changes=True,
    recognised_by=HeaderPattern(any_of=(("old_id", "old_integration_id"),)),
    rules=(RequireAnyOf(columns=("old_id", "old_integration_id")), RequireAnyOf(columns=("new_id", "new_integration_id"))),
    required=False,
    note="Loaded first, so that all other files of the upload use the new ids.",
)

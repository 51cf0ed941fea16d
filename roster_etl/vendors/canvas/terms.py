"""terms.csv, as the document states it, dates for one type of enrollment included."""

from roster_etl.spec import Choice, Column, DateTime, File, HeaderPattern, RequireAnyOf, Status
from roster_etl.vendors.canvas.codes import ENROLLMENT_TYPES

TERMS = File(
    name="terms",
    title="Terms",
    source="terms.csv",
    key=("term_id", "date_override_enrollment_type"),
    columns=(
        Column("term_id", required=True, note="The term's SIS id."),
        Column("name", sticky=True, note="The term's name; ignored in a row with an enrollment type."),
        Column(
            "status",
            required=True,
            cell_format=Status(("active", "deleted")),
            note="Of the term; in a row with an enrollment type, of that type's dates.",
        ),
        Column("start_date", sticky=True, cell_format=DateTime(), note="When the term begins; blank clears it."),
        Column("end_date", sticky=True, cell_format=DateTime(), note="When the term has ended (exclusive); blank clears it."),
        Column("integration_id", note="A second id of the term, unique among terms."),
        Column(
            "date_override_enrollment_type",
            strict=True,
            cell_format=Choice(ENROLLMENT_TYPES),
            note="The row sets, or removes, the term's dates for enrollments of this type, and nothing else.",
        ),
    ),
    ordered_changes=True,
    recognised_by=HeaderPattern(all_of=("term_id", "name")),
    rules=(RequireAnyOf(columns=("name",), unless=("date_override_enrollment_type",)),),
    required=False,
)

"""user_observers.csv: who observes which student."""

from roster_etl.spec import Column, File, HeaderPattern, Status

USER_OBSERVERS = File(
    name="user_observers",
    title="Observers of students",
    source="user_observers.csv",
    key=("observer_id", "student_id"),
    columns=(
        Column("observer_id", required=True, note="The observer's user_id."),
        Column("student_id", required=True, note="The student's user_id."),
        Column(
            "status",
            required=True,
            cell_format=Status(("active", "deleted")),
            note="active enrolls the observer beside the student wherever that one is enrolled, now and later.",
        ),
    ),
    ordered_changes=True,
    recognised_by=HeaderPattern(all_of=("observer_id", "student_id")),
    required=False,
)

"""user_observers.csv: who observes which student."""

from roster_etl.spec import Column, File, Signature, Status

USER_OBSERVERS = File(
    name="user_observers",
    file_name="user_observers.csv",
    title="Observers of students",
    source="user_observers.csv",
    key=("observer_id", "student_id"),
    columns=(
        Column(name="observer_id", required=True, note="The observer's user_id."),
        Column(name="student_id", required=True, note="The student's user_id."),
        Column(
            name="status",
            required=True,
            cell_format=Status(options=("active", "deleted")),
            note="active enrolls the observer beside the student wherever that one is enrolled, now and later.",
        ),
    ),
    in_order=True,
    recognised_by=Signature(every=("observer_id", "student_id")),
    required=False,
)

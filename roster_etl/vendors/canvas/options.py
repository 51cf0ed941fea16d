"""Options of a district's Canvas feed, or of one upload: the document's import modes, named as in its API."""

from roster_etl.spec import Excludes, Needs, Option

OPTIONS = (
    Option(
        "batch_mode",
        default="false",
        kind="switch",
        meaning="Remove courses, sections and enrollments of batch_mode_term_id that earlier uploads brought and this one does not name; "
        "only of the kinds that the upload has. A file with a header only counts as such.",
    ),
    Option(
        "batch_mode_term_id",
        default="",
        kind="text",
        meaning="The term that batch_mode is about. Without it, nothing is removed.",
    ),
    Option(
        "multi_term_batch_mode",
        default="false",
        kind="switch",
        meaning="Batch mode for all terms that the upload's terms file names. Needs change_threshold.",
    ),
    Option(
        "batch_mode_enrollment_drop_status",
        default="deleted",
        kind="choice",
        choices=("deleted", "completed", "inactive"),
        meaning="What becomes of enrollments that batch mode removes.",
    ),
    Option(
        "change_threshold",
        default="",
        kind="percent",
        optional=True,
        minimum=1,
        meaning="1 to 100. In batch mode: call off the removals when strictly more than this share of a kind would go. With diffing: read the "
        "file whole when its size differs from the last one's by strictly more. Empty: no limit of this kind.",
    ),
    Option(
        "skip_deletes",
        default="false",
        kind="switch",
        meaning="Leave out rows whose status contains deleted. Removals by batch mode are not restrained by it.",
    ),
    Option(
        "diffing_data_set_identifier",
        default="",
        kind="text",
        max_bytes=128,
        meaning="Compare the upload with the last one under the same identifier (at most 128 bytes), and apply the differences; a record that "
        "is left out is dropped. Empty: no comparing.",
    ),
    Option(
        "diffing_drop_status",
        default="deleted",
        kind="choice",
        choices=("deleted", "completed", "inactive", "deleted_last_completed"),
        meaning="The status that enrollments get which a compared upload has dropped.",
    ),
    Option(
        "diffing_user_remove_status",
        default="deleted",
        kind="choice",
        choices=("deleted", "suspended"),
        meaning="The status that users get whom a compared upload has dropped.",
    ),
    Option(
        "diffing_remaster_data_set",
        default="false",
        kind="switch",
        meaning="Apply the upload whole, remove nothing, and compare later ones with it.",
    ),
    Option(
        "diff_row_count_threshold",
        default="",
        kind="whole",
        optional=True,
        meaning="Read the file whole when comparing would yield more rows than this. Empty: no limit.",
    ),
    Option(
        "update_sis_id_if_login_claimed",
        default="false",
        kind="switch",
        meaning="A row of a new user whose login another one has gives that user the new id, instead of being refused.",
    ),
    Option(
        "override_sis_stickiness",
        default="false",
        kind="switch",
        meaning="Publish the upload's values where a steward's edit stands, and keep the edit in force for later uploads.",
    ),
    Option(
        "add_sis_stickiness",
        default="false",
        kind="switch",
        meaning="With override_sis_stickiness: what the upload changes is kept like a steward's edit.",
    ),
    Option(
        "clear_sis_stickiness",
        default="false",
        kind="switch",
        meaning="With override_sis_stickiness: end the steward's edits of what the upload sets. Wins over add_sis_stickiness.",
    ),
    Option(
        "custom_roles",
        default="{}",
        kind="mapping",
        choices=("student", "teacher", "ta", "designer", "observer", "account"),
        meaning='Roles that the account has besides the built-in ones, by exact name, and what each is based on: {"Peer Tutor": "student"}. '
        "A role_id of an upload is looked up here, too.",
    ),
    Option(
        "mirror_cross_listed_courses",
        default="true",
        kind="switch",
        meaning="A course that cross-listing made follows later rows about the course that its section came from, but for what rows or "
        "stewards say of it.",
    ),
    Option(
        "observer_enrollments",
        default="true",
        kind="switch",
        meaning="Enroll observers beside the students whom they observe (user_observers), and let these enrollments follow the students'.",
    ),
    Option(
        "min_interval",
        default="0",
        kind="duration",
        meaning="Import no more often than this. Every upload counts in a format of changes, so there is no waiting by default.",
    ),
)

OPTION_RULES = (
    Excludes(options=("batch_mode", "diffing_data_set_identifier")),
    Excludes(options=("multi_term_batch_mode", "diffing_data_set_identifier")),
    Needs(option="multi_term_batch_mode", required="change_threshold"),
)

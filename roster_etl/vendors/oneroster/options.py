"""Options of a district's OneRoster feed. This folder's README describes what each of them decides."""

from roster_etl.spec import Option

OPTIONS = (
    Option(
        "oneroster_version",
        default="auto",
        kind="choice",
        choices=("auto", "1.1", "1.2"),
        meaning="The version of uploads without a manifest, which are then read as bulk. With auto, a manifest is needed, and says it.",
    ),
    Option(
        "conformance",
        default="lenient",
        kind="choice",
        choices=("lenient", "strict"),
        meaning="lenient: what practice gets wrong is read, with a warning. strict: slips of headers and files refuse the upload, "
        "those of cells refuse their row.",
    ),
    Option(
        "end_dates",
        default="exclusive",
        kind="choice",
        choices=("exclusive", "inclusive"),
        meaning="What an endDate is: the day after the last one, as the document says, or the last one itself.",
    ),
)

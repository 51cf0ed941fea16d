"""Options of a district's Mastery Connect feed: one for the open point of the document (see README.md)."""

from roster_etl.spec import Option

OPTIONS = (
    Option(
        "match_source",
        default="",
        kind="format",
        optional=True,
        meaning="The format of another feed of the district, such as canvas: accounts and sections whose ids its roster does not "
        "have are reported. Empty: nothing is compared.",
    ),
)

"""What a district may set for its Mastery Connect feed.

The point of the document behind it, and the decision, stand in this folder's README.
"""

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

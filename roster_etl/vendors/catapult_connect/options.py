"""Options of a district's CatapultCONNECT feed: one for each point that the document leaves open (see README.md)."""

from roster_etl.spec import Option

OPTIONS = (
    Option(
        "allow_column_order",
        default="false",
        kind="switch",
        meaning="Read files whose columns are in another order than the published ones; otherwise they are refused.",
    ),
    Option(
        "site_codes",
        default="{}",
        kind="table",
        meaning="The school code of each site that SchoolExport.csv names without one, as a JSON object: "
        '{"Lincoln High School": "10"}. Case does not count in names; it does in codes.',
    ),
    Option(
        "absence_codes",
        default="{}",
        kind="table",
        meaning='The district\'s absence codes and what each means, as a JSON object: {"A": "absent, not excused"}. A code that is '
        "not in it is kept, with a warning; without a table every code is taken as it is. Case does not count.",
    ),
    Option(
        "period_zero",
        default="period",
        kind="choice",
        choices=("period", "homeroom"),
        meaning="What the period 0 is: a period of that number, or homeroom.",
    ),
)

"""manifest.csv: which version of the format an upload has, and of each file whether it is whole, changes, or absent.

Source: CSV Binding 1.2, section 3; 1.1.
"""

from roster_etl.spec import Column, File, Manifest, ManifestProperty, UnreadFile

_READ_FIRST = "Read before all other files; it says how they are read."

MANIFEST_FILE = File(
    name="manifest",
    title="What the upload holds",
    source="3",
    key=("propertyName",),
    columns=(
        Column("propertyName", required=True, unmapped=_READ_FIRST, note="A property, such as oneroster.version or file.users."),
        Column("value", required=True, unmapped=_READ_FIRST, note="Its value; of a file: absent, bulk or delta."),
    ),
    required=False,
    note="An upload without it is rejected, unless the option oneroster_version names the version; it is then read as bulk.",
)

MANIFEST = Manifest(
    file="manifest",
    name_column="propertyName",
    value_column="value",
    own_version=ManifestProperty(name="manifest.version", values=("1.0",), slips={"1": "1.0", "1.00": "1.0"}),
    version=ManifestProperty(name="oneroster.version", values=("1.1", "1.2"), slips={"1.2.1": "1.2"}),
    file_prefix="file.",
    whole="bulk",
    changes="delta",
    absent="absent",
    optional=("source.systemName", "source.systemCode"),
    version_option="oneroster_version",
    too_old={
        "users": ("userId", "agents", "grade"),
        "classes": ("termSourcedId",),
    },
)

_BOTH = ("1.1", "1.2")
_NEW = ("1.2",)

UNREAD = (
    UnreadFile("resources", title="Resources", versions=_BOTH),
    UnreadFile("classResources", title="Resources of classes", versions=_BOTH),
    UnreadFile(
        "courseResources",
        title="Resources of courses",
        versions=_BOTH,
        misspelled_names=("courseResourses.csv",),
    ),
    UnreadFile("userResources", title="Resources of users", versions=_NEW),
    UnreadFile("categories", title="Categories of line items", versions=_BOTH),
    UnreadFile("lineItems", title="Line items of the gradebook", versions=_BOTH),
    UnreadFile("results", title="Results of the gradebook", versions=_BOTH),
    UnreadFile("scoreScales", title="Score scales", versions=_NEW),
    UnreadFile("lineItemScoreScales", title="Score scales of line items", versions=_NEW),
    UnreadFile("resultScoreScales", title="Score scales of results", versions=_NEW),
    UnreadFile("lineItemLearningObjectiveIds", title="Learning objectives of line items", versions=_NEW),
    UnreadFile("resultLearningObjectiveIds", title="Learning objectives of results", versions=_NEW),
)

"""SchoolExport.csv, as section 5 of the document states it."""

from roster_etl.spec import Column, File, Identity, Phone

SCHOOLS = File(
    name="schools",
    file_name="SchoolExport.csv",
    title="School sites, uploaded once",
    source="5. SchoolExport.csv",
    required=False,
    carried_forward=True,
    key=("School Site Name",),
    columns=(
        Column("School Site Name", required=True, aliases=("SchoolSiteName", "School_Site_Name"), note="The site's name."),
        Column("Address", note="The site's address, on one line."),
        Column(
            "Phone Number",
            cell_format=Phone(lengths=(10,)),
            aliases=("PhoneNumber", "Phone_Number"),
            note="The site's phone, 10 digits; spaces and punctuation do not count.",
        ),
        Column(
            "Merge with Site ID",
            aliases=("MergeWithSiteID", "Merge_with_Site_ID"),
            note="Code of the site that this location is combined with; case counts.",
        ),
    ),
    identity=Identity(columns=("Merge with Site ID", "Address", "Phone Number")),
    note="The names of the sites, given once: a later upload without the file goes on with the newest one that was published.",
)

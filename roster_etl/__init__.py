"""roster_etl: school rosters from many vendors' CSV uploads, judged, planned and published with their whole history."""

__version__ = "0.1.0"

"""roster_etl: school rosters from many vendors' CSV uploads, validated, compared with the current roster, and published as versioned tables."""

__version__ = "0.1.0"

"""Types in which a format is described: formats, files, columns, references, rules, options and finding codes.

Belongs here: frozen dataclasses that state the rules of a vendor's document, without behaviour.
Does not belong here: reading, validating, mapping (``engine``), or any import outside the standard library.
"""

from roster_etl.spec.field_rules import (
    AnyOf,
    CellFormat,
    Choice,
    CompositeReference,
    Date,
    DateTime,
    Decimal,
    Digits,
    Email,
    NotBefore,
    Phone,
    RequiredTogether,
    RowRule,
    Status,
    Text,
    WholeNumber,
)
from roster_etl.spec.files import (
    Column,
    CrossFeedMatch,
    Family,
    File,
    Identity,
    Reference,
    RepeatedRows,
    RowCondition,
    Signature,
    Unique,
)
from roster_etl.spec.formats import Excludes, FileSet, Format, FormatError, Needs, Option, UnsupportedFile

__all__ = [
    "AnyOf",
    "CellFormat",
    "Choice",
    "Column",
    "CompositeReference",
    "CrossFeedMatch",
    "Date",
    "DateTime",
    "Decimal",
    "Digits",
    "Email",
    "Excludes",
    "Family",
    "File",
    "FileSet",
    "Format",
    "FormatError",
    "Identity",
    "Needs",
    "NotBefore",
    "Option",
    "Phone",
    "Reference",
    "RepeatedRows",
    "RequiredTogether",
    "RowCondition",
    "RowRule",
    "Signature",
    "Status",
    "Text",
    "Unique",
    "UnsupportedFile",
    "WholeNumber",
]

"""The language of promises: formats, files, columns, references, options and finding codes.

Belongs here: frozen dataclasses that state what a vendor's document says, and nothing that acts on them.
Does not belong here: reading, judging, mapping (``engine``), or any import outside the standard library.
"""

from roster_etl.spec.field_rules import (
    AnyOf,
    Choice,
    Date,
    Decimal,
    Digits,
    Email,
    Form,
    FoundTogether,
    Moment,
    NotBefore,
    Phone,
    RowRule,
    Status,
    Text,
    Together,
    WholeNumber,
)
from roster_etl.spec.files import Column, Family, File, Match, Reference, Repeats, Signature, Unique, Where
from roster_etl.spec.formats import Excludes, FileSet, Format, FormatError, Needs, Option, Unsupported

__all__ = [
    "AnyOf",
    "Choice",
    "Column",
    "Date",
    "Decimal",
    "Digits",
    "Email",
    "Excludes",
    "Family",
    "File",
    "FileSet",
    "Form",
    "Format",
    "FormatError",
    "FoundTogether",
    "Match",
    "Moment",
    "Needs",
    "NotBefore",
    "Option",
    "Phone",
    "Reference",
    "Repeats",
    "RowRule",
    "Signature",
    "Status",
    "Text",
    "Together",
    "Unique",
    "Unsupported",
    "Where",
    "WholeNumber",
]

"""The language of promises: formats, files, columns, references, options and finding codes.

Belongs here: frozen dataclasses that state what a vendor's document says, and nothing that acts on them.
Does not belong here: reading, judging, mapping (``engine``), or any import outside the standard library.
"""

from roster_etl.spec.files import Column, Family, File, Match, Reference, Repeats, Unique, Where
from roster_etl.spec.formats import FileSet, Format, FormatError, Option
from roster_etl.spec.rules import (
    Choice,
    Date,
    Decimal,
    Digits,
    Email,
    Form,
    FoundTogether,
    NotBefore,
    Phone,
    RowRule,
    Status,
    Text,
    Together,
    WholeNumber,
)

__all__ = [
    "Choice",
    "Column",
    "Date",
    "Decimal",
    "Digits",
    "Email",
    "Family",
    "File",
    "FileSet",
    "Form",
    "Format",
    "FormatError",
    "FoundTogether",
    "Match",
    "NotBefore",
    "Option",
    "Phone",
    "Reference",
    "Repeats",
    "RowRule",
    "Status",
    "Text",
    "Together",
    "Unique",
    "Where",
    "WholeNumber",
]

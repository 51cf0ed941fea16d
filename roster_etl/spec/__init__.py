"""The language of promises: formats, files, columns, references, options and finding codes.

Belongs here: frozen dataclasses that state what a vendor's document says, and nothing that acts on them.
Does not belong here: reading, judging, mapping (``engine``), or any import outside the standard library.
"""

from roster_etl.spec.files import Column, Family, File, Reference, Repeats, Unique
from roster_etl.spec.formats import FileSet, Format, FormatError, Option
from roster_etl.spec.rules import (
    Choice,
    Date,
    Decimal,
    Email,
    Form,
    FoundTogether,
    NotBefore,
    Phone,
    RowRule,
    Text,
    Together,
    WholeNumber,
)

__all__ = [
    "Choice",
    "Column",
    "Date",
    "Decimal",
    "Email",
    "Family",
    "File",
    "FileSet",
    "Form",
    "Format",
    "FormatError",
    "FoundTogether",
    "NotBefore",
    "Option",
    "Phone",
    "Reference",
    "Repeats",
    "RowRule",
    "Text",
    "Together",
    "Unique",
    "WholeNumber",
]

"""The public schema of the warehouse: roster tables, code lists, and the ledger.

Belongs here: names, types and comments of tables and columns, declared once.
Does not belong here: connections, transactions, or how a vendor fills a column.
"""

from roster_etl.canonical.roster import COMMON, TABLES, RosterColumn, RosterTable

__all__ = ["COMMON", "TABLES", "RosterColumn", "RosterTable"]

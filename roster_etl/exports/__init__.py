"""Exports: the current roster said in another format, as pure functions over Arrow tables.

Belongs here: the types in which a format's export is declared, the rules and rows that formats share, losses, cells and bytes.
Does not belong here: reading the warehouse, writing files, and the ledger (``pipeline.exports``); which column of a vendor's file
holds what (``vendors/<format>/export.py``; formats that are only exported: ``exports.formats``).
"""

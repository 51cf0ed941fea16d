"""Exports: the current roster said in another format, as pure functions over Arrow tables.

A format's export is ``vendors/<format>/export.py``; formats that are only exported are in ``exports.formats``.
"""

"""Validate rows against their file's spec: cell formats, row rules, keys and references.

Belongs here: which row is rejected, and why. Does not belong here: reading bytes (``csv``), gates over whole files (``quality``).
"""

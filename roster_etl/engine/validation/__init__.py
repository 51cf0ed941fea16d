"""Validate rows against their file's spec: cell formats, row rules, keys and references.

Belongs here: which row is rejected, and why. Not here: reading bytes (``csv``), gates over whole files (``quality``).
"""

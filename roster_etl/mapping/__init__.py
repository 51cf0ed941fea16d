"""The language of mappings, and the frames that all rooms above speak in.

Belongs here: column plans, the value functions that they name, conversions between frames. No verb, no I/O.
"""

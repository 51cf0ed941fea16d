"""Read, validate, transform and plan: DataFrames in, DataFrames out, without I/O and vendor names.

Belongs here: what serves every format. What a format is stands in ``vendors``, where things rest in ``store``.
"""

"""The verbs: read, judge, shape, map and plan; frames in, frames out, no I/O and no vendor's name.

Belongs here: what serves every format. What a format is stands in ``vendors``, where things rest in ``store``.
"""

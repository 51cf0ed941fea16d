"""Arrow and pandas helpers that every layer shares: conversions, row hashes, timestamps, prefetching.

Belongs here: functions over frames that know no format, table or store.
"""

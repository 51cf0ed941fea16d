"""Arrow and pandas helpers shared by all layers: conversions, row hashes, timestamps, prefetching.

Belongs here: functions over DataFrames that do not depend on a format, a table or a store.
"""

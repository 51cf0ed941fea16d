"""The road itself: receive, judge, map, plan, publish, report; plain functions put together from the rooms below.

Belongs here: one module a step, and ``road.import_upload`` that joins them. Does not belong here: when and for whom
(``orchestration``), or any fact of a vendor.
"""

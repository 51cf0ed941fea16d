"""The steps of an import, and what surrounds them: plain functions over the packages below.

Belongs here: one module a step, and ``import_upload`` that runs them in order. Does not belong here: when and for whom
(``orchestration``), or any fact of a vendor.
"""

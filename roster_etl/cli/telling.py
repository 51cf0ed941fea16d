"""``report``, ``data-docs``, ``refused``, ``outbox``, ``changes``, ``metrics``: what is told, to people and to other programs."""

from __future__ import annotations

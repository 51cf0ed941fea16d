"""Choose the upload of a run that names none.

Whether a watched upload has settled is decided by the sensor, which has state.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

from roster_etl.pipeline.uploads.archived_uploads import newest_archived
from roster_etl.pipeline.uploads.file_selection import file_selection
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.uploads.pending_uploads import pending_numbers
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.options import resolve_options
from roster_etl.store.landing.open import open_landing
from roster_etl.store.registry.district import Feed
from roster_etl.store.settings import landing_folder
from roster_etl.vendors import vendor


def default_order(
    workspace: Workspace, district_id: str, source: str, *, file_set: str = "", run_id: str | None = None
) -> tuple[Order, str]:
    """Return an order for the default upload of a feed, and the reason for the choice.

    The choice, by precedence: the oldest pending upload; the upload in the landing zone if it is complete and settled; the newest
    archived one. If nothing is archived, the order is for the landing zone in any state: the import then reports what is wrong.
    Raises: UnknownDistrict, UnknownFeed; LandingError, LandingUnavailable: the landing zone cannot be read, so that it is unknown
        whether an upload is there; importing an older one instead would hide that.
    """
    feed = workspace.registry.get(district_id).feed(source)
    landing = Order(district_id=district_id, source=source, file_set=file_set, run_id=run_id)
    if numbers := pending_numbers(workspace, district_id, source):
        return replace(landing, arrival=numbers[0]), "the upload that waits longest, archived when it had settled"
    archived = newest_archived(workspace, district_id, source, file_set)
    if archived is None:
        return landing, "what is in the landing zone; nothing is archived yet"
    hindrance = why_not_ready(workspace, district_id, feed, file_set)
    if hindrance is None:
        return landing, "the upload in the landing zone"
    again = replace(landing, archived=archived)
    return again, f"the archived upload of import {archived} once more: {hindrance}"


def lists_no_file(workspace: Workspace, district_id: str, feed: Feed, file_set: str) -> bool:
    """Return whether no file of the feed's format, or of one of its file sets, is in the landing zone. Raises as `default_order`."""
    if not landing_folder(workspace.settings, district_id, feed.path):
        return True
    with open_landing(district_id, feed, workspace.settings) as landing:
        return not file_selection(vendor(feed.format).format, file_set)("folder", landing.listing()).read


def why_not_ready(workspace: Workspace, district_id: str, feed: Feed, file_set: str) -> str | None:
    """Return why the upload in the landing zone is not ready, None if it is."""
    if not landing_folder(workspace.settings, district_id, feed.path):
        return "the feed has no landing folder"
    whole = vendor(feed.format).format
    format_ = whole.for_file_set(file_set)
    with open_landing(district_id, feed, workspace.settings) as landing:
        entries = file_selection(whole, file_set)("folder", landing.listing()).read
    if not entries:
        return (
            f"the landing zone has no {file_set} file"
            if len(whole.file_sets) > 1
            else "the landing zone has no file of the format"
        )
    there = {entry.name.casefold() for entry in entries}
    if any(file.required and file.file_name.casefold() not in there for file in format_.files):
        return "the landing zone does not have all required files"
    quiet = resolve_options(whole, feed.options)[whole.file_set(file_set).option("quiet_period")]
    assert isinstance(quiet, timedelta)
    if max(entry.mtime for entry in entries) > time.time() - quiet.total_seconds():
        return "the upload in the landing zone has not settled"
    return None

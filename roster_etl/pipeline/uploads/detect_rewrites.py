"""Read a landing zone once more whose listing has not changed since its import: a file may have been rewritten all the same.

A listing proves nothing about content: a program may write a file anew, of the same size, and set its old time.
"""

from __future__ import annotations

from roster_etl.pipeline.uploads.file_selection import entries_to_watch, file_selection
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.landing.open import open_landing
from roster_etl.store.landing.quiet_period import fingerprint
from roster_etl.store.landing.upload_source import check_size, hash_contents
from roster_etl.store.registry.district import Feed
from roster_etl.vendors import vendor


def was_rewritten(workspace: Workspace, district_id: str, feed: Feed, file_set: str, listing: str) -> bool:
    """Return whether a landing zone with the fingerprint `listing` holds other content than when it was last read as a whole.

    False if its listing is another by now, which the sensor sees. If it was never read as a whole, its content is noted.
    Raises: UploadMoved, LandingError, LandingUnavailable, UploadTooLarge.
    """
    select, archive = file_selection(vendor(feed.format).format, file_set), workspace.archive
    with open_landing(district_id, feed, workspace.settings) as landing:
        chosen = select("folder", landing.listing())
        if fingerprint(entries_to_watch(chosen)) != listing:
            return False
        check_size(chosen.read, workspace.settings.limits, landing.where)
        content = hash_contents((entry.name, landing.hash_content(entry)) for entry in chosen.read)
    before = archive.read_landed(district_id, feed.format, file_set)
    if before is None or before["listing"] != listing:
        archive.write_landed(district_id, feed.format, file_set, listing=listing, content=content)
        return False
    return before["content"] != content

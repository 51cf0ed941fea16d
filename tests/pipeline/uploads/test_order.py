"""What the audit log has of an order that runs an archived upload again."""

from __future__ import annotations

from roster_etl.pipeline.uploads.order import Order, is_rerun, rerun_entry


def test_the_audit_log_has_which_import_was_run_again_and_as_what():
    for rollback, action in ((False, "rerun"), (True, "rollback")):
        entry = rerun_entry(Order(district_id="lincoln", source="clever", archived=3, rollback=rollback))

        assert (entry.action, entry.district_id, entry.source, entry.about) == (action, "lincoln", "clever", {"of_import": 3})


def test_an_approval_is_no_rerun():
    order = Order(district_id="lincoln", source="clever", archived=3)

    assert is_rerun(order)
    assert not is_rerun(Order(district_id="lincoln", source="clever", archived=3, approves=(3, "ab", "sam")))
    assert not is_rerun(Order(district_id="lincoln", source="clever"))

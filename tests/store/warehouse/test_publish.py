"""Publishing: versions close and open in one transaction, on top of what the plan saw, or not at all."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pyarrow as pa
import pytest
import sqlalchemy as sa

from roster_etl.canonical.history import history_table
from roster_etl.store.warehouse import (
    ConstraintBroken,
    Hold,
    ImportNotRunning,
    RosterChanged,
    TableChange,
    UnknownImport,
    Warehouse,
    publish,
)
from tests.ledgers import in_transaction
from tests.rosters import DISTRICT, SOURCE, begin, change, day, end, enrollment, published, user, version_of


@pytest.fixture
def warehouse(warehouse_url):
    with Warehouse(warehouse_url) as opened:
        yield opened


def rows(warehouse, sql):
    with warehouse.reading() as connection:
        return [tuple(row) for row in connection.execute(sa.text(sql))]


def test_the_first_publish_opens_every_version(warehouse):
    import_id = published(warehouse, {"users": change("users", [user("7", first_name="Null"), user("007", email="a@b.org")])})

    assert rows(warehouse, "SELECT user_id, first_name, email, valid_to_import FROM users ORDER BY user_id") == [
        ("007", None, "a@b.org", None),
        ("7", "Null", None, None),
    ]
    assert warehouse.ledger.import_(import_id)["status"] == "published"
    assert warehouse.roster.base(DISTRICT, SOURCE) == import_id


def test_with_a_clock_set_back_each_import_has_a_moment_of_its_own_after_the_one_before(warehouse):
    numbers = [
        published(warehouse, {"users": change("users", [user(name)])}, number=day_)
        for name, day_ in (("a", 20), ("b", 3), ("c", 20))
    ]

    moments = [warehouse.ledger.import_(number)["finished_at"] for number in numbers]
    known = [warehouse.roster.as_of(moment, "users", DISTRICT, SOURCE)["user_id"].to_pylist() for moment in moments]
    assert (moments[0], moments == sorted(moments)) == (day(20), True)
    assert known == [["a"], ["a", "b"], ["a", "b", "c"]]


def test_every_type_of_column_comes_back_as_it_was_given(warehouse):
    profile = {
        "user_kind": "student", "user_id": "1E5", "hispanic": True, "ell": False, "birth_date": date(2012, 2, 29),
        "graduation_year": 2030, "weighted_gpa": 3.75, "row_hash": "f" * 16, "derived": '["grade"]', "extensions": '{"ext.a":"=1"}',
    }  # fmt: skip
    term = {"term_id": "t", "name": "x, \"y\"\n'z' 100%", "start_at": day(3), "end_at": day(4).replace(microsecond=7)}
    published(warehouse, {"student_profiles": change("student_profiles", [profile]), "terms": change("terms", [term])})

    (found,) = warehouse.roster.trace("student_profiles", {"user_id": "1E5"}, DISTRICT).to_pylist()
    assert {name: found[name] for name in profile} == profile
    (found,) = warehouse.roster.as_of(day(5), "terms", DISTRICT, SOURCE).to_pylist()
    assert {name: found[name] for name in term} == term
    assert found["valid_from"] == day(1)


def test_a_change_closes_the_old_version_and_opens_the_new_one(warehouse):
    first = published(warehouse, {"users": change("users", [user("a", last_name="Old"), user("b")])})
    old = version_of(warehouse, "users", user_id="a")
    second = published(warehouse, {"users": change("users", [user("a", last_name="New")], [old], "changed")}, number=2)

    history = warehouse.roster.trace("users", {"user_kind": "student", "user_id": "a"}, DISTRICT).to_pylist()
    assert [(v["last_name"], v["valid_from_import"], v["valid_to_import"], v["close_reason"]) for v in history] == [
        ("Old", first, second, "changed"),
        ("New", second, None, None),
    ]
    assert (history[0]["valid_from"], history[0]["valid_to"], history[1]["valid_from"]) == (day(1), day(2), day(2))


def test_the_view_of_changes_tells_created_updated_and_deleted(warehouse):
    first = published(
        warehouse, {"enrollments": change("enrollments", [enrollment("a"), enrollment("b"), enrollment("c", None)])}
    )
    changed, gone = version_of(warehouse, "enrollments", user_id="c"), version_of(warehouse, "enrollments", user_id="a")
    second = begin(warehouse, 2)
    parts = change("enrollments", [enrollment("c", None, status="completed"), enrollment("d")], [changed, gone])
    parts = type(parts)(
        opens=parts.opens, closes=pa.table({"version_id": [changed, gone], "close_reason": ["changed", "absent"]})
    )
    in_transaction(warehouse).publish(end(second, number=2), {"enrollments": parts}, first)

    seen = rows(warehouse, f"SELECT key, change, close_reason FROM changes WHERE import_id = {second} ORDER BY change")
    assert [(change_, reason) for _, change_, reason in seen] == [
        ("created", None),
        ("deleted", "absent"),
        ("updated", "changed"),
    ]
    assert '"user_id"' in seen[1][0]
    assert rows(warehouse, f"SELECT DISTINCT change FROM changes WHERE import_id = {first}") == [("created",)]


def test_a_record_that_came_back_in_the_import_that_undid_it_is_an_update(warehouse):
    published(warehouse, {"users": change("users", [user("a", last_name="New"), user("b")])})
    gone = [version_of(warehouse, "users", user_id=name) for name in "ab"]
    undo = published(warehouse, {"users": change("users", [user("a", last_name="Old")], gone, "undone")}, number=2)

    seen = rows(warehouse, f"SELECT change, close_reason FROM changes WHERE import_id = {undo} ORDER BY change")
    assert seen == [("deleted", "undone"), ("updated", "undone")]


def test_two_current_versions_never_share_a_key(warehouse):
    published(warehouse, {"users": change("users", [user("a")])})
    second = begin(warehouse, 2)

    with pytest.raises(ConstraintBroken, match="users_history"):
        in_transaction(warehouse).publish(
            end(second, number=2), {"users": change("users", [user("a")])}, warehouse.roster.base(DISTRICT, SOURCE)
        )
    assert warehouse.ledger.import_(second)["status"] == "running"


def test_null_equals_null_in_a_key(warehouse):
    import_id = begin(warehouse)

    with pytest.raises(ConstraintBroken):
        in_transaction(warehouse).publish(
            end(import_id), {"enrollments": change("enrollments", [enrollment("a", None), enrollment("a", None)])}, None
        )
    assert warehouse.roster.current(DISTRICT, SOURCE, "enrollments").num_rows == 0


def test_an_error_of_the_database_never_shows_a_value(warehouse):
    import_id = begin(warehouse)
    secret = user("secret-id", last_name="Secretname")

    with pytest.raises(ConstraintBroken) as caught:
        in_transaction(warehouse).publish(end(import_id), {"users": change("users", [secret, secret])}, None)
    error = caught.value
    while error is not None:
        assert "ecret" not in f"{error} {error.args}"
        error = error.__cause__ or error.__context__


def test_a_key_is_per_district(warehouse):
    published(warehouse, {"users": change("users", [user("a")])})
    published(warehouse, {"users": change("users", [user("a")])}, district="madison")

    assert rows(warehouse, "SELECT district_id FROM users ORDER BY district_id") == [("lincoln",), ("madison",)]


def test_a_plan_on_an_older_roster_is_refused(warehouse):
    first, second = begin(warehouse), begin(warehouse, 2)
    in_transaction(warehouse).publish(end(second), {"users": change("users", [user("a")])}, None)

    with pytest.raises(RosterChanged):
        in_transaction(warehouse).publish(end(first), {"users": change("users", [user("b")])}, None)
    # Nor is an older import published on top of a newer one: the numbers of imports order a feed's history.
    with pytest.raises(RosterChanged):
        in_transaction(warehouse).publish(end(first), {"users": change("users", [user("b")])}, second)
    assert rows(warehouse, "SELECT user_id FROM users") == [("a",)]


def test_a_version_that_is_closed_already_cannot_be_closed_again(warehouse):
    published(warehouse, {"users": change("users", [user("a")])})
    version = version_of(warehouse, "users", user_id="a")
    base = published(warehouse, {"users": change("users", gone=[version])}, number=2)
    third = begin(warehouse, 3)

    with pytest.raises(RosterChanged):
        in_transaction(warehouse).publish(end(third, number=3), {"users": change("users", gone=[version])}, base)


def test_a_version_of_another_district_cannot_be_closed(warehouse):
    published(warehouse, {"users": change("users", [user("a")])})
    version = version_of(warehouse, "users", user_id="a")
    other = begin(warehouse, 2, "madison")

    with pytest.raises(RosterChanged):
        in_transaction(warehouse).publish(end(other), {"users": change("users", gone=[version])}, None)


def test_an_import_is_published_once(warehouse):
    import_id = published(warehouse, {"users": change("users", [user("a")])})

    with pytest.raises(ImportNotRunning):
        in_transaction(warehouse).publish(end(import_id), {"users": change("users", [user("b")])}, import_id)
    with pytest.raises(UnknownImport):
        in_transaction(warehouse).publish(end(import_id + 1), {}, import_id)


def test_a_held_import_is_published_only_with_an_approval(warehouse):
    import_id = begin(warehouse)
    plan = {"users": change("users", [user("a")])}
    hold = Hold(reason="thresholds", plan_sha256="ab", created_at=day(1))
    in_transaction(warehouse).conclude(end(import_id, "held", hold=hold))

    with pytest.raises(ImportNotRunning):
        in_transaction(warehouse).publish(end(import_id, number=2), plan, None)
    in_transaction(warehouse).publish(end(import_id, number=2), plan, None, approved_by="Ada")
    assert warehouse.ledger.hold(import_id) == {
        "import_id": import_id, "reason": "thresholds", "plan_sha256": "ab", "created_at": day(1),
        "decision": "approved", "decided_by": "Ada", "decided_at": day(2),
    }  # fmt: skip
    assert warehouse.ledger.import_(import_id)["status"] == "published"


def test_of_two_publishes_at_the_same_moment_one_wins(warehouse, warehouse_url):
    imports = [begin(warehouse, number) for number in (1, 2)]
    gate, outcomes = threading.Barrier(2), {}

    def publish(import_id):
        with Warehouse(warehouse_url) as mine:
            gate.wait()
            try:
                in_transaction(mine).publish(end(import_id), {"users": change("users", [user(str(n)) for n in range(500)])}, None)
                outcomes[import_id] = "published"
            except RosterChanged:
                outcomes[import_id] = "moved"

    threads = [threading.Thread(target=publish, args=(import_id,)) for import_id in imports]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]

    assert sorted(outcomes.values()) == ["moved", "published"]
    assert rows(warehouse, "SELECT count(*) FROM users_history") == [(500,)]


def test_a_reader_sees_one_state_while_another_publishes(warehouse):
    published(warehouse, {"users": change("users", [user("a")])})
    history = history_table("users")
    with warehouse.reading() as connection:
        before = connection.execute(sa.select(sa.func.count()).select_from(history)).scalar()
        with ThreadPoolExecutor(1) as another:
            another.submit(published, warehouse, {"users": change("users", [user("b")])}, number=2).result()
        after = connection.execute(sa.select(sa.func.count()).select_from(history)).scalar()

    assert (before, after) == (1, 1)
    assert warehouse.roster.current(DISTRICT, SOURCE, "users").num_rows == 2


def test_rows_are_numbered_in_the_order_of_their_keys(warehouse):
    published(warehouse, {"users": change("users", [user(name) for name in "cab"])})

    assert rows(warehouse, "SELECT user_id FROM users_history ORDER BY version_id") == [("a",), ("b",), ("c",)]


def test_rows_may_be_loaded_when_their_table_is_published(warehouse):
    loaded = change("users", [user("a")])
    published(warehouse, {"users": TableChange(opens=lambda: (loaded.opens, None), closes=loaded.closes)})

    assert rows(warehouse, "SELECT user_id FROM users") == [("a",)]


@pytest.mark.parametrize("places", [[0, 1, 2], [0, 2], [2, 0], [1], []])
def test_of_loaded_rows_those_at_the_given_places_are_opened_in_the_order_of_their_keys(warehouse, places):
    loaded = change("users", [user(name) for name in "acb"])
    published(warehouse, {"users": TableChange(opens=lambda: (loaded.opens, pa.array(places, pa.int64())), closes=loaded.closes)})

    found = rows(warehouse, "SELECT user_id FROM users_history ORDER BY version_id")
    assert found == sorted(("acb"[place],) for place in places)


@pytest.mark.parametrize("size", [1, 2])
def test_rows_of_several_slices_are_all_opened(warehouse, monkeypatch, size):
    monkeypatch.setattr(publish, "_SLICE", size)
    loaded = change("users", [user(name) for name in "edcba"])
    published(warehouse, {"users": TableChange(opens=lambda: (loaded.opens, pa.array([0, 2, 4])), closes=loaded.closes)})

    assert rows(warehouse, "SELECT user_id FROM users_history ORDER BY version_id") == [("a",), ("c",), ("e",)]


def test_the_columns_of_a_long_table_are_loaded_one_by_one_and_only_those_that_vary(warehouse, monkeypatch):
    monkeypatch.setattr(publish, "LONG", 4)
    given = change("users", [user(name, email=f"{name}@b.org") for name in "dcba"])
    asked = []

    class Loaded:
        def select(self, names):
            asked.append(list(names))
            return given.opens.select(names)

    published(warehouse, {"users": TableChange(opens=lambda: (Loaded(), None), closes=given.closes)})

    first, *others = asked
    assert len(first) > len(others)
    assert {"user_id", "email"} <= {name for names in others for name in names}
    assert all(len(names) == 1 for names in others)
    found = rows(warehouse, "SELECT user_id, email FROM users_history ORDER BY version_id")
    assert found == [(name, f"{name}@b.org") for name in "abcd"]


def test_tables_with_indexes_in_any_order_are_opened_last_with_a_cache_for_them(warehouse, monkeypatch):
    opened, cached = [], []
    monkeypatch.setattr(publish, "_open_versions", lambda *given: opened.append(given[-1].table))
    monkeypatch.setattr(publish.bulk_load, "fit_cache", lambda _, entries: cached.append(entries))
    new = {"users": change("users", [user("a"), user("b")]), "enrollments": change("enrollments", [enrollment("a")])}
    published(warehouse, new)

    assert opened == ["enrollments", "users"]
    assert cached == [0, 6, 0]  # a user has three entries of that kind


def test_enrollments_are_opened_in_the_order_of_the_index_of_current_keys(warehouse):
    taken = [("c1", "s2", "u1"), ("c2", "s1", "u2"), ("c2", "s1", "u1"), ("c1", None, "u3")]
    new = [enrollment(who, course_id=course, section_id=section) for course, section, who in taken]
    published(warehouse, {"enrollments": change("enrollments", new)})

    found = rows(warehouse, "SELECT course_id, section_id, user_id FROM enrollments_history ORDER BY version_id")
    index = rows(
        warehouse,
        "SELECT course_id, section_id, user_id FROM enrollments_history WHERE valid_to_import IS NULL "
        "ORDER BY coalesce(section_id, ''), user_kind, user_id, course_id",
    )
    assert found == index


def test_each_table_is_closed_and_opened_before_the_next_one(warehouse, monkeypatch):
    """SQLite writes the pages of its indexes to its log once then, not twice."""
    published(warehouse, {"users": change("users", [user("a")]), "enrollments": change("enrollments", [enrollment("a")])})
    old = version_of(warehouse, "users", user_id="a"), version_of(warehouse, "enrollments", user_id="a")
    done: list[tuple[str, str]] = []
    close, open_ = publish._close_versions, publish._open_versions
    monkeypatch.setattr(publish, "_close_versions", lambda *given: (done.append(("close", given[3])), close(*given)))
    monkeypatch.setattr(publish, "_open_versions", lambda *given: (done.append(("open", given[3].table)), open_(*given)))
    changes = {"enrollments": change("enrollments", [enrollment("a", status="inactive")], old[1:], "changed")}
    changes |= {"users": change("users", [user("a", last_name="New")], old[:1], "changed")}
    published(warehouse, changes, number=2)

    assert done == [("close", "enrollments"), ("open", "enrollments"), ("close", "users"), ("open", "users")]

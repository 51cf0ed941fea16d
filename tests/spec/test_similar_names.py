"""What a mistyped name may have meant."""

from __future__ import annotations

from roster_etl.spec.similar_names import similar_name, similar_name_hint, suggestion

TABLES = ("users", "user_roles", "terms", "Enrollments")


def test_the_most_similar_name_is_named_whatever_its_case() -> None:
    assert similar_name("user", TABLES) == "users"
    assert similar_name("ENROLMENTS", TABLES) == "Enrollments"
    assert similar_name("zebra", TABLES) is None


def test_a_suggestion_names_one_or_all() -> None:
    assert suggestion("user", TABLES, "the tables") == "; did you mean users?"
    assert suggestion("zebra", TABLES, "the tables") == "; the tables: users, user_roles, terms, Enrollments"
    assert suggestion("zebra", (), "it has") == "; it has: none"
    assert (similar_name_hint("user", TABLES), similar_name_hint("zebra", TABLES)) == (" (did you mean users?)", "")

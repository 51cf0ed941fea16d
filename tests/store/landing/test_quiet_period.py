"""When an upload has settled."""

import json
from dataclasses import replace

import pytest

from roster_etl.store.landing.entries import Entry
from roster_etl.store.landing.quiet_period import (
    BACKOFF_MAX,
    FeedPollState,
    QuietPeriodDecision,
    QuietPeriodRules,
    backoff_decision,
    dump_state,
    evaluate_listing,
    fingerprint,
    load_state,
    state_after_failure,
    state_after_import,
)

RULES = QuietPeriodRules(
    quiet_period=300, straggler_wait=1800, min_interval=0, required=frozenset({"students.csv", "schools.csv"})
)


def entry(name: str, version: int = 1) -> Entry:
    return Entry(name=name, size=100 + version, mtime=1000.0 * version)


A = (entry("students.csv"), entry("schools.csv"))
B = (entry("students.csv", 2), entry("schools.csv", 2))


def arrive(state: FeedPollState | None, listing: tuple[Entry, ...], now: float, rules: QuietPeriodRules = RULES) -> FeedPollState:
    """Let a listing settle and be imported."""
    state, _ = evaluate_listing(state, listing, now, rules)
    state, decision = evaluate_listing(state, listing, now + 300, rules)
    assert decision.import_now, decision
    return state_after_import(state, listing, now + 300, rules)


def reason(state: FeedPollState | None, listing: tuple[Entry, ...], now: float, rules: QuietPeriodRules = RULES) -> str:
    return evaluate_listing(state, listing, now, rules)[1].reason


def test_an_upload_settles_when_it_stood_still_for_the_quiet_period() -> None:
    state, first = evaluate_listing(None, A, 1000, RULES)
    state, second = evaluate_listing(state, A, 1299, RULES)
    _, third = evaluate_listing(state, A, 1300, RULES)

    assert first == QuietPeriodDecision(reason="quiet", until=1300)
    assert second == QuietPeriodDecision(reason="quiet", until=1300)
    assert third == QuietPeriodDecision(reason="settled")


def test_any_growth_starts_the_quiet_period_anew() -> None:
    state, _ = evaluate_listing(None, A, 1000, RULES)
    grown = (replace(A[0], size=999), A[1])
    state, decision = evaluate_listing(state, grown, 1200, RULES)

    assert decision.until == 1500
    assert reason(state, grown, 1400) == "quiet"
    assert reason(state, grown, 1500) == "settled"


def test_old_file_times_do_not_count_as_quiet() -> None:
    ancient = tuple(replace(file, mtime=1.0) for file in A)

    assert reason(None, ancient, 1e9) == "quiet"


def test_order_of_the_listing_does_not_matter() -> None:
    state, _ = evaluate_listing(None, A, 1000, RULES)

    assert reason(state, A[::-1], 1300) == "settled"


def test_nothing_is_imported_while_a_required_file_is_missing() -> None:
    state, _ = evaluate_listing(None, A[:1], 0, RULES)
    _, decision = evaluate_listing(state, A[:1], 9999, RULES)

    assert decision == QuietPeriodDecision(reason="missing_files", missing=("schools.csv",))


def test_required_names_are_found_in_any_case() -> None:
    listing = (entry("STUDENTS.CSV"), entry("Schools.csv"))

    assert arrive(None, listing, 0).sequence == 1


def test_an_empty_home_waits() -> None:
    assert reason(None, (), 1000) == "empty"
    assert reason(None, (Entry(name="sub", size=0, mtime=0.0, regular=False),), 1000) == "empty"


def test_what_was_imported_is_not_imported_again() -> None:
    state = arrive(None, A, 0)

    assert reason(state, A, 99999) == "nothing_new"


def test_a_then_b_then_a_are_three_imports() -> None:
    state = arrive(arrive(arrive(None, A, 0), B, 10_000), A, 20_000)

    assert state.sequence == 3
    assert state.imported == fingerprint(A)


def test_stragglers_are_waited_for_and_then_named() -> None:
    state = arrive(None, A, 0)
    half = (B[0], A[1])
    state, _ = evaluate_listing(state, half, 10_000, RULES)
    _, waiting = evaluate_listing(state, half, 10_400, RULES)
    _, going = evaluate_listing(state, half, 11_800, RULES)

    assert waiting == QuietPeriodDecision(reason="stragglers", until=11_800, stale=("schools.csv",))
    assert going == QuietPeriodDecision(reason="settled", stale=("schools.csv",))


def test_a_straggler_that_comes_ends_the_wait() -> None:
    state = arrive(None, A, 0)
    state, _ = evaluate_listing(state, (B[0], A[1]), 10_000, RULES)
    state, _ = evaluate_listing(state, B, 10_200, RULES)

    assert evaluate_listing(state, B, 10_500, RULES)[1] == QuietPeriodDecision(reason="settled")


def test_a_quiet_period_longer_than_the_straggler_wait_still_holds() -> None:
    rules = replace(RULES, straggler_wait=10)
    state = arrive(None, A, 0, rules)
    state, _ = evaluate_listing(state, (B[0], A[1]), 10_000, rules)

    assert reason(state, (B[0], A[1]), 10_299, rules) == "quiet"


def test_an_import_waits_for_the_minimum_interval() -> None:
    rules = replace(RULES, min_interval=3600)
    state = arrive(None, A, 0, rules)
    state, _ = evaluate_listing(state, B, 1000, rules)

    assert evaluate_listing(state, B, 1300, rules)[1] == QuietPeriodDecision(reason="min_interval", until=3900)
    assert reason(state, B, 3900, rules) == "settled"


def test_an_import_at_the_beginning_of_time_counts() -> None:
    state = state_after_import(FeedPollState(), A, 0.0, RULES)

    assert load_state(dump_state(state)) == state


def test_waits_double_with_each_error_up_to_a_limit_and_end_with_a_listing() -> None:
    state, waits = None, []
    for _ in range(12):
        state = state_after_failure(state, 1000)
        waits.append(state.next_try - 1000)

    assert waits[:4] == [60, 120, 240, 480]
    assert max(waits) == waits[-1] == BACKOFF_MAX
    assert backoff_decision(state, 1000) == QuietPeriodDecision(reason="backoff", until=1000 + BACKOFF_MAX)
    assert backoff_decision(state, 1000 + BACKOFF_MAX) is None
    assert evaluate_listing(state, A, 99999, RULES)[0].failures == 0
    assert backoff_decision(None, 0) is None


def test_an_error_forgets_nothing() -> None:
    state = arrive(None, A, 0)
    after = state_after_failure(state, 500)

    assert (after.imported, after.sequence, after.listing) == (state.imported, state.sequence, state.listing)


@pytest.mark.parametrize("back", [0.0, 500.0])
def test_a_clock_set_back_delays_and_never_blocks(back: float) -> None:
    state, _ = evaluate_listing(None, A, 10_000, RULES)
    state, decision = evaluate_listing(state, A, back, RULES)

    assert decision.until == back + 300
    assert backoff_decision(state_after_failure(state, 1e9), back) is None


def test_links_and_folders_do_not_keep_an_upload_from_settling() -> None:
    state, _ = evaluate_listing(None, (*A, Entry(name="logs", size=1, mtime=1.0, regular=False)), 0, RULES)

    assert reason(state, (*A, Entry(name="logs", size=2, mtime=2.0, regular=False)), 300) == "settled"


def test_the_state_is_small_and_survives_json() -> None:
    rules = replace(RULES, required=frozenset(f"required-{n}.csv" for n in range(5)))
    listing = tuple(entry(name) for name in sorted(rules.required))
    state = state_after_failure(arrive(None, listing, 1_764_000_000.123456, rules), 1_764_000_400.5)
    text = json.dumps(dump_state(state), separators=(",", ":"))

    assert load_state(json.loads(text)).imported == state.imported
    assert len(text) < 400
    assert dump_state(FeedPollState()) == {}

"""Suites over verdict tables."""

import datetime as dt
import json
import pickle
import re
from pathlib import Path

import pyarrow as pa
import pytest

from roster_etl.quality import (
    SuiteBroken,
    SuiteError,
    ToleranceOverride,
    Verdict,
    apply_refused_rows_limits,
    evaluate_suite,
    has_failing_rules,
    load_effective_suites,
    load_suite,
    load_suites,
)
from roster_etl.quality.gx_client import GX_CLIENT
from roster_etl.quality.gx_runner import run_suites

ROOT = Path(__file__).parents[2]


def expect(rule, severity="warning", check="", **kwargs):
    return {"type": "expect_rule_to_hold", "kwargs": {"rule": rule, **kwargs}, "severity": severity, "meta": {"check": check}}


def suite(*expectations):
    return {"name": "demo/students", "expectations": list(expectations)}


def verdicts(**lines):
    """Return a verdict table: rule = (judged, failing), as the engine makes it."""
    rules = [name.replace("_", ": ", 1) for name in lines]
    return pa.table(
        {
            "rule": pa.array(rules, pa.string()),
            "column": pa.array([rule.split(":")[0] for rule in rules], pa.string()),
            "check": pa.array([rule.split(": ")[-1] for rule in rules], pa.string()),
            "judged": pa.array([judged for judged, _ in lines.values()], pa.int64()),
            "failing": pa.array([failing for _, failing in lines.values()], pa.int64()),
        }
    )


def judge(expectation, **lines):
    return evaluate_suite(suite(expectation), verdicts(**lines))


def test_a_rule_within_its_tolerance_passes():
    verdict = judge(expect("Grade: present", "critical", mostly=0.95), Grade_present=(1000, 50))

    assert (verdict.passed_critical, verdict.passed_warning) == (True, True)
    assert verdict.failure_lines() == ()


def test_a_critical_failure_tells_rule_share_and_tolerance():
    verdict = judge(expect("Grade: present", "critical", mostly=0.95), Grade_present=(1000, 120))

    assert (verdict.passed_critical, verdict.passed_warning) == (False, True)
    assert verdict.failure_lines() == (
        "demo/students: Grade: present — 12.0 % of 1,000 rows fail, at most 5 % allowed (critical)",
    )


def test_a_warning_lets_pass():
    verdict = judge(expect("Grade: present", "warning", mostly=0.95), Grade_present=(1000, 120))

    assert (verdict.passed_critical, verdict.passed_warning) == (True, False)


def test_an_info_is_only_listed():
    verdict = judge(expect("Grade: present", "info", mostly=0.95), Grade_present=(1000, 120))

    assert (verdict.passed_critical, verdict.passed_warning) == (True, True)
    assert [result.severity for result in verdict.failures()] == ["info"]


@pytest.mark.parametrize(("failing", "severity"), [(9, "warning"), (10, "critical")])
def test_a_critical_percentage_counts_as_a_warning_on_fewer_than_ten_failing_rows(failing, severity):
    verdict = judge(expect("Grade: present", "critical", mostly=0.95), Grade_present=(20, failing))

    assert [result.severity for result in verdict.failures()] == [severity]


def test_a_promise_without_a_share_is_critical_on_the_first_failing_row():
    verdict = judge(expect("users: key unique", "critical", "key"), **{"users_key unique": (100_000, 1)})

    assert verdict.failure_lines("critical") == (
        "demo/students: users: key unique — less than 0.1 % of 100,000 rows fail, none may (critical)",
    )


@pytest.mark.parametrize(("refused", "severities"), [(10, []), (11, ["critical"])])
def test_the_share_of_refused_rows_is_critical_strictly_above_its_limit(refused, severities):
    verdict = judge(
        expect("file: rows refused", "critical", "refused", mostly=0.75, at_least=10), **{"file_rows refused": (40, refused)}
    )

    assert [result.severity for result in verdict.failures()] == severities


def test_a_districts_options_move_the_limit_of_refused_rows():
    strict = apply_refused_rows_limits(
        suite(expect("file: rows refused", "critical", "refused", mostly=0.75, at_least=10)), percent=5, min_rows=2
    )
    verdict = evaluate_suite(strict, verdicts(**{"file_rows refused": (20, 2)}))

    assert verdict.failure_lines() == (
        "demo/students: file: rows refused — 10.0 % of 20 rows are refused, at most 5 % allowed (critical)",
    )


def test_a_header_that_does_not_fit_is_told_without_a_share():
    verdict = judge(expect("file: header", "critical", "header"), file_header=(1, 1))

    assert verdict.failure_lines() == ("demo/students: file: header — does not fit the format (critical)",)


def test_records_that_an_upload_lacks_are_told_as_missing():
    rule = "users: rows against last import"
    verdict = judge(expect(rule, "warning", "rows", mostly=0.9), **{rule.replace(": ", "_", 1): (199, 99)})

    (text,) = verdict.failure_lines()
    assert text.endswith("— 99 of 199 current records (49.7 %) would be missing, at most 10 % allowed (warning)")


def test_a_file_without_an_accepted_row_is_told_so():
    rule = "file: a row is accepted"
    verdict = judge(expect(rule, "critical", "rows"), **{rule.replace(": ", "_", 1): (12, 12)})

    assert verdict.failure_lines() == ("demo/students: file: a row is accepted — none of 12 rows is accepted (critical)",)


def test_a_rule_that_was_not_judged_passes_with_nothing_observed():
    verdict = judge(expect("Grade: present", "critical", mostly=0.95), Other_present=(10, 10))

    assert verdict.passed_critical
    assert (verdict.results[0].judged, verdict.results[0].failing, verdict.results[0].share) == (None, None, None)
    assert verdict.results[0].text == "Grade: present — holds, or was not evaluated (critical)"


def test_a_rule_judged_on_no_rows_passes():
    assert judge(expect("Grade: form", "critical", mostly=0.95), Grade_form=(0, 0)).results[0].share == 0.0


def test_results_come_in_the_suites_order():
    order = ["C: form", "A: form", "B: form", "D: form"]
    verdict = evaluate_suite(
        suite(*(expect(rule, mostly=0.5) for rule in order)), verdicts(A_form=(4, 4), D_form=(4, 0), C_form=(4, 1))
    )

    assert [result.rule for result in verdict.results] == order
    assert [result.passed for result in verdict.results] == [True, False, True, True]


def test_a_districts_override_decides():
    loosened = ToleranceOverride(
        suite="demo/students", expectation="Grade: present", mostly=0.5, reason="New system.", date=dt.date(2026, 9, 1)
    )
    verdict = evaluate_suite(
        suite(expect("Grade: present", "critical", mostly=0.95)), verdicts(Grade_present=(100, 40)), overrides=[loosened]
    )

    assert verdict.passed_critical
    assert verdict.results[0].mostly == 0.5


def test_a_verdict_survives_json():
    verdict = judge(expect("Grade: present", "critical", mostly=0.95), Grade_present=(1000, 120))

    assert Verdict.from_dict(json.loads(json.dumps(verdict.to_dict()))) == verdict


def test_an_expectation_about_rows_is_refused_as_only_rules_are_judged():
    unique = {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "user_id"}, "severity": "critical", "meta": {}}

    with pytest.raises(
        SuiteError, match=re.escape("expect_column_values_to_be_unique (user_id): a suite evaluates rules, not rows")
    ):
        evaluate_suite(suite(unique), verdicts(A_form=(4, 1)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop_columns("judged"), "verdict table lacks judged"),
        (lambda table: table.set_column(4, "failing", pa.array([None], pa.int64())), "must be filled"),
        (lambda table: table.set_column(4, "failing", pa.array([11])), "more rows fail than were evaluated: A: form"),
        (lambda table: table.set_column(4, "failing", pa.array([-1])), "more rows fail than were evaluated: A: form"),
        (lambda table: pa.concat_tables([table, table]), "a rule occurs twice"),
    ],
)
def test_what_is_no_verdict_table_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        evaluate_suite(suite(expect("A: form", mostly=0.5)), change(verdicts(A_form=(10, 1))))


def test_every_rule_comes_out_as_great_expectations_judges_it_and_it_judges_those_that_fail(monkeypatch):
    tolerances = [None, 0, 0.1, 0.5, 0.95, 1.0]
    counts = [(0, 0), (1, 0), (1, 1), (40, 0), (40, 1), (40, 2), (40, 3), (40, 20), (40, 21), (40, 36), (40, 37), (40, 40), None]
    expectations = [expect(f"{t} of {c}: form", **({} if t is None else {"mostly": t})) for t in tolerances for c in counts]
    rules = [one["kwargs"]["rule"] for one in expectations]
    lines = {rule.replace(": ", "_", 1): pair for rule, pair in zip(rules, counts * len(tolerances), strict=True) if pair}
    table = verdicts(**lines)
    asked = []
    monkeypatch.setattr(GX_CLIENT, "run_expectations", lambda requests: asked.extend(requests) or judged_here(requests))

    found = evaluate_suite(suite(*expectations), table).results

    columns = {name: table.column(name).to_pylist() for name in ("rule", "judged", "failing")}
    (whole,) = run_suites([("demo/students", expectations, columns)])
    assert [(r.passed, r.judged, r.failing) for r in found] == [(o.passed, o.judged, o.failing) for o in whole]
    failed = [rule for rule, result in zip(rules, whole, strict=True) if not result.passed]
    assert asked[0].lines["rule"] == [one["kwargs"]["rule"] for one in asked[0].expectations] == failed
    assert 0 < len(failed) < len(rules)


def judged_here(requests):
    """Return what Great Expectations says of `requests`, without a process."""
    return run_suites([(one.name, one.expectations, one.lines) for one in requests])


def test_suites_of_which_no_rule_fails_ask_nobody(monkeypatch):
    monkeypatch.setattr(GX_CLIENT, "_request", lambda *_: pytest.fail("no rule fails"))

    verdict = evaluate_suite(
        suite(expect("Grade: present", "critical"), expect("Grade: form", mostly=0.95)),
        verdicts(Grade_present=(1000, 0), Grade_form=(1000, 50)),
    )

    assert [(r.passed, r.judged, r.failing) for r in verdict.results] == [(True, 1000, 0), (True, 1000, 50)]


def test_a_suite_is_asked_about_where_a_rule_that_it_is_about_fails():
    about = suite(expect("Grade: present", mostly=0.9))

    assert has_failing_rules(about, verdicts(Grade_present=(10, 2)))
    assert not has_failing_rules(about, verdicts(Grade_present=(10, 1), Name_present=(10, 10)))


def test_a_suite_is_loaded_from_its_file(tmp_path):
    path = tmp_path / "students.json"
    path.write_text(json.dumps(suite(expect("A: form"))))

    assert load_suite(path) == suite(expect("A: form"))


def test_a_suite_whose_file_was_changed_is_read_again(tmp_path):
    path = tmp_path / "students.json"
    path.write_text(json.dumps(suite(expect("A: form"))))
    before = load_suite(path)
    path.write_text(json.dumps(suite(expect("B: form"))))  # of the same size

    assert load_suite(path) == suite(expect("B: form")) != before


def test_a_suite_that_is_not_there_or_not_text_is_named(tmp_path):
    with pytest.raises(SuiteError, match=r"students\.json: there is no such file; `roster-etl generate` writes it"):
        load_suite(tmp_path / "students.json")
    (tmp_path / "teachers.json").write_bytes(b'{"name": "\xff"}')
    with pytest.raises(SuiteError, match=r"teachers\.json: byte 10 is not UTF-8"):
        load_suite(tmp_path / "teachers.json")


def test_a_suite_is_named_as_its_file(tmp_path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "teachers.json").write_text(json.dumps(suite()))

    with pytest.raises(SuiteError, match='the suite is named "demo/students"; name it "demo/teachers"'):
        load_suites(tmp_path)


def test_errors_survive_a_trip_between_processes():
    for error in (SuiteError("s.json", ("x", "y")), SuiteBroken("demo/students", ("x",))):
        again = pickle.loads(pickle.dumps(error))

        assert (again.message, again.problems, again.code) == (error.message, error.problems, error.code)


def test_every_committed_suite_can_be_run():
    suites = load_suites(ROOT / "expectations")

    assert {"clever/students", "canonical/users"} <= set(suites)
    for committed in suites.values():
        assert evaluate_suite(committed, verdicts(Any_form=(4, 1))).failures() == ()


def test_a_suite_of_the_home_replaces_that_of_the_package(tmp_path: Path):
    packaged = load_effective_suites(tmp_path / "none")
    own = {**packaged["clever/students"], "expectations": packaged["clever/students"]["expectations"][:1]}
    (tmp_path / "clever").mkdir()
    (tmp_path / "clever" / "students.json").write_text(json.dumps(own))
    effective = load_effective_suites(tmp_path)

    assert packaged == load_suites(ROOT / "expectations")
    assert effective == {**packaged, "clever/students": own}


def test_a_suite_of_the_home_that_nothing_would_evaluate_is_an_error(tmp_path: Path):
    (tmp_path / "clever").mkdir()
    (tmp_path / "clever" / "studentx.json").write_text(json.dumps({"name": "clever/studentx", "expectations": []}))

    with pytest.raises(SuiteError, match=r'the nearest is "clever/students"'):
        load_effective_suites(tmp_path)


@pytest.mark.parametrize(
    ("name", "rule", "near"),
    [("clever/students", "Grad: form", "Grade: form"), ("canonical/users", "users: kex unique", "users: key unique")],
)
def test_a_hand_written_expectation_of_the_home_about_an_unknown_rule_is_an_error(
    tmp_path: Path, name: str, rule: str, near: str
):
    known = {"type": "expect_rule_to_hold", "kwargs": {"rule": near}, "severity": "warning", "meta": {"origin": "hand"}}
    path = tmp_path / f"{name}.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"name": name, "expectations": [known]}))
    assert load_effective_suites(tmp_path)[name]["expectations"] == [known]

    path.write_text(json.dumps({"name": name, "expectations": [known | {"kwargs": {"rule": rule}}]}))
    with pytest.raises(SuiteError, match=f'expectation "{rule}": no such rule; the nearest is'):
        load_effective_suites(tmp_path)


def test_what_is_no_file_in_the_place_of_a_suite_is_named(tmp_path: Path):
    folder, loop = tmp_path / "folder.json", tmp_path / "loop.json"
    folder.mkdir()
    loop.symlink_to(loop)

    for path in (folder, loop):
        with pytest.raises(SuiteError, match=f"{path.name}: it cannot be read"):
            load_suite(path)

"""Suites printed from specs, and what survives of people's changes."""

import json
import re
from pathlib import Path

import pytest

from roster_etl.canonical import TABLES
from roster_etl.projections.suite_format import SuiteError, parse_suite
from roster_etl.projections.suite_generator import generated_files
from roster_etl.spec import Choice, Column, File, Format

ROOT = Path(__file__).parents[2]
STUDENTS = File(
    name="students",
    file_name="students.csv",
    title="Students",
    source="3.2",
    key=("Id",),
    columns=(
        Column(name="Id", required=True),
        Column(name="Last_name", required=True),
        Column(name="Grade", cell_format=Choice(options=("1", "2"))),
    ),
)
CLUBS = File(
    name="clubs", file_name="clubs.csv", title="Clubs", source="3.3", required=False, key=("Id",), columns=(Column(name="Id"),)
)
DEMO = Format(name="demo", title="Demo", document="d", version="1", mode="snapshot", files=(STUDENTS, CLUBS))
PATH = "expectations/demo/students.json"


def generate(text=None):
    return generated_files({PATH: text} if text else {}, formats=[DEMO])[PATH]


def expectation(text, rule):
    return next(e for e in json.loads(text)["expectations"] if e["kwargs"]["rule"] == rule)


def edited(rule, change):
    suite = json.loads(generate())
    change(next(e for e in suite["expectations"] if e["kwargs"]["rule"] == rule))
    return json.dumps(suite, indent=2, ensure_ascii=False) + "\n"


def with_hand(**kwargs):
    suite = json.loads(generate())
    by_hand = {
        "type": "expect_rule_to_hold",
        "kwargs": kwargs,
        "severity": "warning",
        "meta": {"origin": "hand", "notes": "Why."},
    }
    suite["expectations"].insert(0, by_hand)
    return json.dumps(suite)


def test_there_is_one_suite_for_each_file_and_each_table():
    paths = set(generated_files({}, formats=[DEMO]))

    assert paths == {PATH, "expectations/demo/clubs.json", *(f"expectations/canonical/{table}.json" for table in TABLES)}


def test_every_generated_suite_can_be_followed():
    for path, text in generated_files({}, formats=[DEMO]).items():
        assert f"expectations/{parse_suite(text, path)['name']}.json" == path


@pytest.mark.parametrize("rule", ["file: header", "file: a row is accepted", "file: rows refused", "Id: unique"])
def test_what_makes_a_file_unbelievable_is_critical(rule):
    assert expectation(generate(), rule)["severity"] == "critical"


@pytest.mark.parametrize("rule", ["Last_name: required", "Grade: form"])
def test_other_percentages_warn(rule):
    assert expectation(generate(), rule)["severity"] == "warning"


@pytest.mark.parametrize("rule", ["file: header", "file: a row is accepted"])
def test_a_file_that_need_not_come_stops_nothing_as_a_whole(rule):
    clubs = generated_files({}, formats=[DEMO])["expectations/demo/clubs.json"]

    assert expectation(clubs, rule)["severity"] == "warning"


def test_nothing_is_generated_about_optional_columns_being_filled():
    assert "Grade: present" not in generate()


def test_generating_again_changes_nothing():
    assert generate(generate()) == generate()


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e["kwargs"].update(mostly=0.99),
        lambda e: e["kwargs"].pop("mostly"),
        lambda e: e["kwargs"].update(at_least=25),
        lambda e: e.update(severity="critical"),
        lambda e: (e["kwargs"].update(mostly=0.5), e["meta"].update(reason="The source system is new.")),
    ],
)
def test_a_stewards_change_survives_and_is_no_difference(change):
    text = edited("Last_name: required", change)

    assert generate(text) == text


def test_a_default_that_moves_is_followed_where_nobody_changed_it():
    text = edited("Last_name: required", lambda e: (e["kwargs"].update(mostly=0.8), e["meta"]["default"].update(mostly=0.8)))

    assert expectation(generate(text), "Last_name: required")["kwargs"]["mostly"] == 0.95


def test_other_changes_to_a_generated_expectation_are_undone():
    text = edited("Last_name: required", lambda e: e["meta"].update(notes="Something else."))

    assert generate(text) == generate()


def test_an_expectation_whose_rule_is_gone_is_dropped():
    text = edited("Last_name: required", lambda e: e["kwargs"].update(rule="Nickname: required"))

    assert "Nickname" not in generate(text)


def test_a_hand_written_expectation_is_kept_as_it_is_after_the_generated_ones():
    text = generate(with_hand(rule="Grade: present", mostly=0.95))

    last = json.loads(text)["expectations"][-1]
    assert last["kwargs"] == {"rule": "Grade: present", "mostly": 0.95}
    assert last["meta"] == {"origin": "hand", "notes": "Why."}
    assert generate(text) == text


def test_a_hand_written_expectation_replaces_the_generated_one_of_its_rule():
    text = with_hand(rule="Grade: form", mostly=0.5)
    suite = json.loads(text)
    suite["expectations"] = [
        e for e in suite["expectations"] if e["meta"]["origin"] == "hand" or e["kwargs"]["rule"] != "Grade: form"
    ]

    assert generate(json.dumps(suite)).count('"Grade: form"') == 1


def test_a_hand_written_expectation_about_no_rule_names_the_nearest():
    with pytest.raises(SuiteError, match=re.escape('"Grad: present": no such rule; the nearest is "Grade: present"')):
        generate(with_hand(rule="Grad: present", mostly=0.95))


def test_a_committed_file_that_is_no_json_is_named_with_its_line():
    with pytest.raises(SuiteError, match=re.escape(f"{PATH}: line 2, column 1: not JSON")):
        generate('{"name": "demo/students",\n}')


def test_the_committed_suites_are_what_the_specs_and_their_own_changes_give():
    committed = {str(path.relative_to(ROOT)): path.read_text() for path in (ROOT / "expectations").glob("*/*.json")}

    assert generated_files(committed) == committed

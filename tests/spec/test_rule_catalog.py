"""The names that verdicts and suites share."""

from roster_etl.spec import Choice, Column, Date, Family, File, NotBefore, Reference, RepeatedRows, RequiredTogether, Text, Unique
from roster_etl.spec.rule_catalog import file_rules, table_rules


def made(columns, **more):
    key = more.pop("key", ("Id",))
    return File(name="f", file_name="f.csv", title="F", source="1", key=key, columns=columns, **more)


def rules(file):
    return [promise.name for promise in file_rules(file)]


def test_every_promise_of_a_file_has_one_name_in_a_fixed_order():
    file = made(
        (
            Column(name="Id", required=True),
            Column(name="Grade", cell_format=Choice(options=("1", "2"))),
            Column(name="Start", cell_format=Date(pattern="MM/DD/YYYY")),
            Column(name="End", cell_format=Date(pattern="MM/DD/YYYY")),
            Column(name="School", required=True, references=Reference(file="schools", column="Id")),
            Column(name="Number", unique=Unique()),
        ),
        rules=(NotBefore(column="End", other="Start"), RequiredTogether(columns=("Start", "End"), required=("End",))),
    )

    assert rules(file) == [
        "file: header",
        "file: a row is accepted",
        "file: rows refused",
        "Id: unique",
        "Id: required",
        "Grade: form",
        "Grade: present",
        "Start: form",
        "Start: present",
        "End: form",
        "End: present",
        "School: required",
        "School: reference",
        "Number: unique",
        "Number: present",
        "End: not before Start",
        "End: together",
    ]


def test_a_file_whose_rows_repeat_promises_agreement_in_place_of_unique_keys():
    file = made((Column(name="Id", required=True), Column(name="Contact")), repeats=RepeatedRows(columns=("Contact",)))

    assert "Id: repeated rows agree" in rules(file)
    assert "Id: unique" not in rules(file)


def test_a_key_column_that_is_also_declared_unique_is_promised_once():
    assert rules(made((Column(name="Id", required=True, unique=Unique()),))).count("Id: unique") == 1


def test_a_key_of_several_columns_is_named_by_all_of_them():
    file = made((Column(name="A", required=True), Column(name="B", required=True)), key=("A", "B"))

    assert "A + B: unique" in rules(file)


def test_nothing_is_promised_of_a_secret_column():
    file = made((Column(name="Id", required=True), Column(name="Password", secret=True)))

    assert not [rule for rule in rules(file) if "Password" in rule]


def test_a_column_that_an_option_relaxes_may_be_required_or_present():
    file = made((Column(name="Id", required=True), Column(name="Number", required=True, optional_if_option="number_required")))

    assert {"Number: required", "Number: present"} <= set(rules(file))


def test_numbered_columns_are_promised_one_by_one_and_endless_ones_not():
    bounded = Family(pattern="T_{n}", first=2, last=3, references=Reference(file="teachers", column="Id"))
    endless = Family(pattern="S_{n}", first=1, last=None, cell_format=Text(max_length=5))
    found = rules(made((Column(name="Id", required=True),), families=(bounded, endless)))

    assert [rule for rule in found if rule.startswith("T_")] == [
        "T_2: reference",
        "T_2: present",
        "T_3: reference",
        "T_3: present",
    ]
    assert not [rule for rule in found if rule.startswith("S_")]


def test_a_table_promises_unique_keys_and_that_records_stay():
    assert [promise.name for promise in table_rules("users")] == ["users: key unique", "users: rows against last import"]


def test_events_are_not_expected_to_come_again():
    assert [promise.name for promise in table_rules("attendance", event=True)] == ["attendance: key unique"]

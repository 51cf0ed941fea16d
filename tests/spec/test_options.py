"""How settings become values."""

from __future__ import annotations

from datetime import timedelta

import pytest

from roster_etl.spec import Excludes, Format, Needs, Option
from roster_etl.spec.options import (
    COMMON_OPTIONS,
    BadOption,
    ContradictingOptions,
    UnknownOption,
    options_of,
    parse_option,
    resolve_options,
)

FORMAT = Format(
    name="plain",
    title="Plain",
    document="none",
    version="1",
    mode="snapshot",
    files=(),
    options=(
        Option(name="strict", default="true", kind="switch", meaning="Strict."),
        Option(name="roles", default="{}", kind="json", meaning="Roles."),
        Option(name="names", default="given", kind="choice", choices=("given", "built"), meaning="Names."),
        Option(name="label", default="", kind="text", meaning="A label."),
        Option(name="sites", default="{}", kind="table", meaning="Codes of sites."),
    ),
)


def test_defaults_hold_where_nothing_is_set() -> None:
    values = resolve_options(FORMAT)

    assert values["delete_threshold_pct"] == 10.0
    assert values["min_interval"] == timedelta(hours=1)
    assert values["time_zone"] == "UTC"
    assert values["strict"] is True
    assert values["roles"] == {}


def test_the_default_of_every_common_option_can_be_read() -> None:
    assert all(parse_option(option, option.default) is not None for option in COMMON_OPTIONS)


def test_a_later_layer_wins() -> None:
    assert resolve_options(FORMAT, {"names": "built", "strict": "false"}, {"strict": "TRUE"})["strict"] is True


def test_all_unknown_options_are_named_at_once() -> None:
    with pytest.raises(UnknownOption) as error:
        resolve_options(FORMAT, {"nmaes": "built"}, {"strct": "true"})

    assert error.value.data["names"] == "nmaes, strct"
    assert error.value.code == "unknown_option"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("strict", "yes"),
        ("names", "Given"),
        ("roles", "{"),
        ("delete_threshold_pct", "101"),
        ("delete_threshold_pct", "-1"),
        ("delete_threshold_pct", "nan"),
        ("delete_threshold_min", "1.5"),
        ("delete_threshold_min", "²"),
        ("quiet_period", "5"),
        ("quiet_period", "-5m"),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "../../etc/passwd"),
        ("time_zone", ""),
        ("encoding", "hex"),
        ("encoding", "no-such"),
        ("encoding", "utf\x008"),
        ("sites", "[]"),
        ("sites", '{"Lincoln": 10}'),
        ("sites", '{"Lincoln": " "}'),
        ("sites", "{"),
    ],
)
def test_a_misread_setting_is_refused_without_repeating_it(name: str, text: str) -> None:
    with pytest.raises(BadOption) as error:
        resolve_options(FORMAT, {name: text})

    assert name in str(error.value)
    assert not text or repr(text) not in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("quiet_period", "10s", timedelta(seconds=10)),
        ("quiet_period", "0", timedelta(0)),
        ("straggler_wait", "2d", timedelta(days=2)),
        ("refused_rows_pct", "2.5", 2.5),
        ("refused_rows_min", "0", 0),
        ("encoding", "CP1252", "cp1252"),
        ("time_zone", "America/Chicago", "America/Chicago"),
        ("roles", '{"Peer Tutor": "student"}', {"Peer Tutor": "student"}),
        ("label", "x y", "x y"),
        ("sites", '{"Lincoln": "10"}', {"Lincoln": "10"}),
    ],
)
def test_settings_are_read_by_their_kind(name: str, text: str, value: object) -> None:
    assert resolve_options(FORMAT, {name: text})[name] == value


def test_a_format_may_have_another_default_for_a_common_option() -> None:
    slow = Option(name="quiet_period", default="1h", kind="duration", meaning="Slow uploads.")
    format_ = Format(name="slow", title="Slow", document="none", version="1", mode="snapshot", files=(), options=(slow,))

    assert options_of(format_)["quiet_period"] is slow


MODES = Format(
    name="modes",
    title="Modes",
    document="none",
    version="1",
    mode="changes",
    files=(),
    options=(
        Option(name="batch", default="false", kind="switch", meaning="Batch."),
        Option(name="diff", default="", kind="text", max_bytes=4, meaning="Diff."),
        Option(name="limit", default="", kind="percent", optional=True, meaning="Limit."),
        Option(name="kinds", default="{}", kind="mapping", choices=("x", "y"), meaning="Kinds."),
    ),
    option_rules=(Excludes(options=("batch", "diff")), Needs(option="batch", required="limit")),
)


def test_an_optional_value_may_be_left_unset() -> None:
    assert resolve_options(MODES)["limit"] is None
    assert resolve_options(MODES, {"limit": " 0 "})["limit"] == 0


@pytest.mark.parametrize("text", ["0", "0.5", "0.999999", "101"])
def test_a_share_below_the_least_is_refused(text: str) -> None:
    share = Option(name="limit", default="", kind="percent", optional=True, minimum=1, meaning="Limit.")

    with pytest.raises(BadOption, match="a share from 1 to 100"):
        parse_option(share, text)
    assert [parse_option(share, good) for good in ("1", "100", "")] == [1.0, 100.0, None]


def test_a_number_below_the_least_is_refused() -> None:
    number = Option(name="rows", default="5", kind="whole", minimum=2, meaning="Rows.")

    with pytest.raises(BadOption, match="a whole number, 2 or more"):
        parse_option(number, "1")
    assert parse_option(number, "2") == 2


def test_options_that_exclude_each_other_are_refused_together() -> None:
    with pytest.raises(ContradictingOptions, match="batch and diff exclude each other"):
        resolve_options(MODES, {"batch": "true", "limit": "5"}, {"diff": "a"})


def test_an_option_that_needs_another_is_refused_alone() -> None:
    with pytest.raises(ContradictingOptions, match="batch needs option limit"):
        resolve_options(MODES, {"batch": "true"})

    assert resolve_options(MODES, {"batch": "true", "limit": "0"})["batch"] is True


def test_a_text_is_measured_in_bytes() -> None:
    assert resolve_options(MODES, {"diff": "äö"})["diff"] == "äö"
    with pytest.raises(BadOption, match="at most 4 bytes"):
        resolve_options(MODES, {"diff": "äöü"})


@pytest.mark.parametrize("text", ["[]", '{"a": "z"}', '{"a": 1}', '{"a": ["x"]}', "{", '"x"'])
def test_a_mapping_gives_each_name_one_of_the_choices(text: str) -> None:
    with pytest.raises(BadOption, match="JSON object"):
        resolve_options(MODES, {"kinds": text})

    assert resolve_options(MODES, {"kinds": '{"a": "x", "b": "y"}'})["kinds"] == {"a": "x", "b": "y"}

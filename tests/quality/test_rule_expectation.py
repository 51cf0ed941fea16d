"""How our expectation reads where Great Expectations shows it."""

import pandas as pd
import pytest

FRAME = pd.DataFrame({"rule": ["Last_name: required"], "judged": [10], "failing": [1]})


@pytest.fixture
def expectation(gx):
    suite = gx.ExpectationSuite(
        name="demo/students",
        expectations=[
            {
                "type": "expect_rule_to_hold",
                "kwargs": {"rule": "Last_name: required", "column": "Last_name", "mostly": 0.95},
                "severity": "warning",
                "meta": {"notes": "Rows without one are refused."},
            }
        ],
    )
    return suite.expectations[0]


def batch(gx):
    source = gx.get_context(mode="ephemeral").data_sources.add_pandas("frames")
    return source.add_dataframe_asset("frame").add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": FRAME})


def test_a_suites_json_is_loaded_and_written_as_it_is(expectation):
    assert expectation.configuration.to_json_dict()["kwargs"] == {
        "rule": "Last_name: required",
        "column": "Last_name",
        "mostly": 0.95,
    }


def test_it_reads_as_a_sentence(expectation):
    expectation.render()
    value = expectation.rendered_content[0].value

    assert value.template == "$rule, at least 95 % of rows"
    assert value.params["rule"]["value"] == "Last_name: required"


def test_data_docs_show_the_sentence(gx, expectation):
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    result = batch(gx).validate(gx.ExpectationSuite(name="demo/students", expectations=[expectation]))
    page = DefaultJinjaPageView().render(ValidationResultsPageRenderer().render(result))

    assert "at least 95 % of rows" in page
    assert "Last_name: required" in page


def test_a_result_holds_counts_only(gx, expectation):
    result = batch(gx).validate(gx.ExpectationSuite(name="demo/students", expectations=[expectation])).results[0]

    assert not result.success
    assert result.result == {"observed_value": 0.1, "details": {"judged": 10, "failing": 1}}

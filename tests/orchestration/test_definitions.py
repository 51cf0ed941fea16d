"""The graph: which assets and checks there are, what they show of themselves, and what loading them costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from roster_etl.orchestration import definitions
from roster_etl.orchestration.assets.asset_keys import PLAN, REPORT, STAGES
from roster_etl.orchestration.assets.district_assets import STEP
from roster_etl.orchestration.assets.labels import loaded_owners
from roster_etl.orchestration.assets.metadata import OWNERS
from roster_etl.orchestration.assets.today_asset import TODAY
from roster_etl.orchestration.definitions import VENDORS, defs
from roster_etl.orchestration.jobs.build import job_name
from roster_etl.orchestration.runtime.partitions import DISTRICTS, NO_PARTITION, feed_partitions
from roster_etl.spec import File
from roster_etl.spec.errors import SettingsError
from roster_etl.store.settings import Settings
from tests.parsing import parsed

SNAPSHOT = Path(__file__).parent / "asset_keys.txt"
GRAPH = defs.resolve_asset_graph()
KEYS = sorted(GRAPH.get_all_asset_keys(), key=lambda key: key.path)


def test_the_asset_keys_are_those_of_the_snapshot():
    message = "the graph changed: if that is meant, `make generate` writes the snapshot anew"

    assert definitions.asset_keys() == SNAPSHOT.read_text("utf-8"), message
    assert len(KEYS) == len(SNAPSHOT.read_text("utf-8").splitlines())


def test_loading_the_code_location_imports_no_great_expectations_and_asks_nobody():
    code = (
        "import sys, socket; socket.socket.connect = None; import roster_etl.orchestration.definitions as d;"
        "d.defs.resolve_job_def('import_clever'); print([n for n in ('great_expectations', 'scipy', 'asyncssh', 'jinja2') if n in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)

    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_the_module_has_one_definitions_object_since_dagster_loads_no_module_with_two():
    assert [name for name, value in vars(definitions).items() if isinstance(value, dg.Definitions)] == ["defs"]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.to_user_string())
def test_every_asset_says_what_it_is(key: dg.AssetKey):
    node = GRAPH.get(key)

    assert node.description
    assert node.group_name == (key.path[0] if len(key.path) > 1 else "report")
    assert node.owners
    assert node.kinds
    formats = {vendor.format.name for vendor in VENDORS}
    own = feed_partitions(key.path[0]) if key.path[0] in formats else DISTRICTS
    assert node.partitions_def == (None if key == TODAY else own)


@pytest.mark.parametrize(
    ("key", "layer", "vendor", "pii"),
    [
        (["clever", "upload"], "landing", "clever", "yes"),
        (["clever", "published"], "published", "clever", "yes"),
        (["clever", "planned"], "planned", "clever", "no"),
        (["dyknow", "schools"], "validated", "dyknow", "no"),
        (["canvas", "users"], "validated", "canvas", "yes"),
        (["roster", "terms"], "mapped", None, "no"),
        (["roster", "plan"], "planned", None, "no"),
        (["warehouse", "id_changes"], "published", None, "yes"),
        (["report"], "reported", None, "no"),
    ],
)
def test_an_asset_has_tags_to_filter_by(key: list[str], layer: str, vendor: str | None, pii: str):
    tags = GRAPH.get(dg.AssetKey(key)).tags

    assert (tags["layer"], tags.get("vendor"), tags["pii"]) == (layer, vendor, pii)


def test_owners_are_those_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ROSTER_ETL_HOME", str(tmp_path))
    settings = tmp_path / "roster_etl.toml"
    settings.write_text('[catalog]\nowners = ["team:rosters", "ops@example.org"]\n', "utf-8")
    assert loaded_owners() == ("team:rosters", "ops@example.org")
    settings.write_text('[catalog]\nowners = ["rosters"]\n', "utf-8")

    assert loaded_owners() == OWNERS
    with pytest.raises(SettingsError, match="team:data-stewards"):
        Settings.load(tmp_path)


def test_a_column_says_what_it_is_made_of_and_what_it_must_be():
    def column(key: list[str], name: str) -> str:
        schema = GRAPH.get(dg.AssetKey(key)).metadata["dagster/column_schema"]
        return next(str(one.description) for one in schema.columns if one.name == name)

    assert "\n\n- canvas: `users.integration_id`" in column(["roster", "users"], "integration_id")
    assert column(["warehouse", "users"], "integration_id") == column(["roster", "users"], "integration_id")
    assert column(["clever", "students"], "School_id").startswith("Required: text. Refers to `School_id` of schools.")
    assert "one of `" in column(["clever", "students"], "Gender")


def test_a_table_lists_the_sources_of_its_columns_with_links_to_their_files():
    for stage in ("roster", "warehouse"):
        text = GRAPH.get(dg.AssetKey([stage, "users"])).metadata["column_sources"].value

        assert "| user\\_id | canvas | [users.user\\_id](/assets/canvas/users?view=overview) |" in text
        teacher = "[teachers.Teacher\\_id](/assets/clever/teachers?view=overview)"
        assert f"|  | clever | [students.Student\\_id](/assets/clever/students?view=overview) · {teacher} · " in text


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.format.name)
def test_every_file_shows_the_columns_of_its_spec_and_links_to_it(vendor):
    for file in vendor.format.files:
        metadata = GRAPH.get(dg.AssetKey([vendor.format.name, file.name])).metadata
        shown = [column.name for column in metadata["dagster/column_schema"].columns]
        (code,) = metadata["dagster/code_references"].code_references

        own = [column.name for column in file.columns]
        versions = [other for files in vendor.format.versions.values() for other in files if other.name == file.name]
        of_versions = {column.name for other in versions for column in other.columns} - set(own)
        families = [family.pattern for family in file.families]
        assert shown[: len(own)] == own
        assert set(shown[len(own) :]) == of_versions | set(families)
        assert len(shown) == len(own) + len(of_versions) + len(families)
        assert Path(code.file_path).is_file()


def test_a_check_that_does_not_block_says_which_one_does():
    suites = [spec for spec in GRAPH.asset_check_keys if spec.name == "suite"]

    assert suites
    for key in suites:
        spec = GRAPH.get_check_spec(key)
        assert not spec.blocking
        assert "roster/plan's check `publishable` fails too" in spec.description
    assert GRAPH.get_check_spec(dg.AssetCheckKey(dg.AssetKey(["roster", "plan"]), "publishable")).blocking


def test_a_mapped_column_names_the_columns_that_it_is_made_of():
    lineage = GRAPH.get(dg.AssetKey(["roster", "users"])).metadata["dagster/column_lineage"].deps_by_column

    assert dg.TableColumnDep(dg.AssetKey(["clever", "students"]), "Last_name") in lineage["last_name"]
    assert dg.TableColumnDep(dg.AssetKey(["clever", "teachers"]), "Last_name") in lineage["last_name"]


def test_lineage_points_at_columns_that_are_shown():
    for key in KEYS:
        lineage = GRAPH.get(key).metadata.get("dagster/column_lineage")
        for dep in (dep for deps in (lineage.deps_by_column if lineage else {}).values() for dep in deps):
            shown = {column.name for column in GRAPH.get(dep.asset_key).metadata["dagster/column_schema"].columns}
            assert dep.column_name in shown, f"{key.to_user_string()} ← {dep}"


def test_each_file_stands_after_the_files_that_it_refers_to():
    parents = GRAPH.get(dg.AssetKey(["clever", "sections"])).parent_keys

    assert {"clever/upload", "clever/schools", "clever/teachers"} <= {key.to_user_string() for key in parents}


def test_only_the_check_before_the_writer_blocks():
    blocking = [check for check in GRAPH.asset_check_keys if GRAPH.get_check_spec(check).blocking]

    assert [check.to_user_string() for check in blocking] == ["roster/plan:publishable"]


def test_every_file_and_table_has_the_two_checks_of_its_suite():
    judged = [
        key
        for key in KEYS
        if key.path[-1] not in ("upload", "state", *STAGES, "plan", "report", "reconciliation")
        and key.path[0] not in ("warehouse", "operations")
    ]

    assert all({check.name for check in GRAPH.get_check_keys_for_assets({key})} == {"suite", "tolerances"} for key in judged)


def test_the_assets_of_a_district_have_one_step_which_starts_imports():
    ops = {GRAPH.get(key).assets_def.op.name for key in KEYS if key.path[0] in ("roster", "warehouse") or key == REPORT}

    assert ops == {STEP}


def test_an_asset_of_all_districts_waits_for_no_partition_of_a_format():
    """The same key is refused by Dagster where a format lacks it; all keys would make each district wait for all others."""
    formats = {vendor.format.name for vendor in VENDORS}
    edges = [
        (key, up) for key in KEYS for up in GRAPH.get(key).parent_keys if key.path[0] not in formats and up.path[0] in formats
    ]

    assert (PLAN, dg.AssetKey(["clever", "planned"])) in edges
    assert all(GRAPH.get_partition_mapping(key, up) == NO_PARTITION for key, up in edges)


def test_every_check_has_the_partitions_of_its_asset():
    for check in GRAPH.asset_check_keys:
        assert GRAPH.get(check).partitions_def == GRAPH.get(check.asset_key).partitions_def, check


def test_runs_stay_in_one_process():
    assert defs.executor is dg.in_process_executor
    assert defs.resolve_job_def(job_name("clever")).executor_def is dg.in_process_executor


def test_no_code_of_this_room_asks_which_vendor_it_has():
    names = {vendor.format.name for vendor in VENDORS}
    for file in Path(definitions.__file__).parent.rglob("*.py"):
        words = {n.value for n in ast.walk(parsed(file)) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
        assert not words & names, file.name


def test_every_file_of_every_vendor_is_an_asset():
    files: list[tuple[str, File]] = [(vendor.format.name, file) for vendor in VENDORS for file in vendor.format.files]

    assert all(dg.AssetKey([vendor, file.name]) in KEYS for vendor, file in files)


def test_code_references_lead_to_files_that_exist():
    references = [spec.metadata.get("dagster/code_references") for spec in defs.resolve_all_asset_specs()]
    files = [Path(place.file_path) for found in references if found is not None for place in found.code_references]

    assert len(files) > 20
    assert [file.name for file in files if not file.is_file()] == []

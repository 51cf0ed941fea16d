"""The files of ``deploy/``: held against what Dagster and dagster-k8s themselves declare, so that an upgrade of either is noticed here.

Helm is no part of the tests: `rendered` says of the few values that become Dagster's settings what the chart's templates make of them.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from dagster import DagsterInstance
from dagster._config import process_config, resolve_to_config_type
from dagster._core.instance.config import dagster_instance_config_schema
from dagster._core.instance.ref import InstanceRef

from roster_etl.orchestration.runtime.executors import VARIABLE, executor
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def k8s() -> Any:
    """The package dagster-k8s, or the test is skipped. It loads slowly, so only the process that runs these tests loads it."""
    return pytest.importorskip("dagster_k8s")


@pytest.fixture(autouse=True, scope="module")
def _k8s(k8s: Any) -> None:
    """Skip all of this where dagster-k8s is not installed."""


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    """The values for the chart."""
    return yaml.safe_load((ROOT / "deploy" / "values.yaml").read_text())


def snake(name: str) -> str:
    """Return a name of the chart as Dagster spells it."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def renamed(value: Any) -> Any:
    """Return settings with their own names in Dagster's spelling."""
    return {snake(key): renamed(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def launcher(values: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of the run launcher, as the chart renders them from the values."""
    given = values["runLauncher"]["config"]["k8sRunLauncher"]
    plain = {snake(key): value for key, value in given.items() if key != "runK8sConfig" and value != ""}
    names = {key: [entry["name"] for entry in plain.pop(key)] for key in ("env_config_maps", "env_secrets")}
    raw = {snake(key): value for key, value in given["runK8sConfig"].items()}
    raw["pod_spec_config"] = raw.pop("pod_spec_config")
    return {
        **plain,
        **names,
        "run_k8s_config": raw,
        "dagster_home": "/srv/dagster",
        "instance_config_map": "roster-etl-instance",
        "postgres_password_secret": values["global"]["postgresqlSecretName"],
        "service_account_name": "roster-etl",
    }


def accepted(config_type: Any, value: dict[str, Any]) -> dict[str, Any]:
    """Return `value` as Dagster takes it in, or fail with what it says against it."""
    result = process_config(resolve_to_config_type(config_type), value)
    assert result.success, [error.message for error in result.errors]
    return dict(result.value)


def test_the_run_launcher_of_kubernetes_takes_the_values(values: dict[str, Any], k8s: Any) -> None:
    taken = accepted(k8s.K8sRunLauncher.config_type(), launcher(values))

    assert values["runLauncher"]["type"] == "K8sRunLauncher"
    assert (taken["env_config_maps"], taken["env_secrets"]) == (["roster-etl"], ["roster-etl"])
    assert taken["fail_pod_on_run_failure"] is False


def test_a_pod_of_a_run_is_what_the_values_ask_for(values: dict[str, Any], k8s: Any) -> None:
    from dagster_k8s.container_context import K8sContainerContext
    from dagster_k8s.job import DagsterK8sJobConfig, UserDefinedDagsterK8sConfig, construct_dagster_k8s_job

    taken = accepted(k8s.K8sRunLauncher.config_type(), launcher(values))
    raw = UserDefinedDagsterK8sConfig.from_dict(taken["run_k8s_config"])
    shared = ("volumes", "volume_mounts", "env_config_maps", "env_secrets", "service_account_name")
    K8sContainerContext(run_k8s_config=raw, **{key: taken[key] for key in shared if key in ("volumes", "volume_mounts")})
    config = DagsterK8sJobConfig(
        job_image="registry.example.org/roster-etl:0.1.0",
        dagster_home=taken["dagster_home"],
        instance_config_map=taken["instance_config_map"],
        postgres_password_secret=taken["postgres_password_secret"],
        **{key: taken[key] for key in shared},
    )
    job = construct_dagster_k8s_job(config, ["dagster", "api", "execute_run"], "run-1", user_defined_k8s_config=raw)
    pod = job.spec.template.spec
    (container,) = pod.containers

    assert job.spec.ttl_seconds_after_finished == 86400
    assert pod.security_context.run_as_non_root is True
    assert {mount.mount_path for mount in container.volume_mounts} >= {"/home/roster", "/home/roster/roster_etl.toml"}
    assert container.resources.limits == {"memory": "4Gi"}
    assert [source.secret_ref.name for source in container.env_from if source.secret_ref] == ["roster-etl"]
    assert container.image == "registry.example.org/roster-etl:0.1.0"


def test_the_queue_monitoring_and_retries_of_the_values_are_dagsters(values: dict[str, Any]) -> None:
    from dagster._core.run_coordinator import QueuedRunCoordinator

    daemon = values["dagsterDaemon"]
    queue = renamed(daemon["runCoordinator"]["config"]["queuedRunCoordinator"])
    for limit in queue["tag_concurrency_limits"]:
        limit["value"] = {"applyLimitPerUniqueValue": limit["value"]["applyLimitPerUniqueValue"]}
    schema = dagster_instance_config_schema()
    accepted(QueuedRunCoordinator.config_type(), queue)
    for part in ("run_monitoring", "run_retries", "sensors"):
        chosen = next(renamed(value) for key, value in daemon.items() if snake(key) == part)
        accepted({part: schema[part]}, {part: chosen})
    ours = yaml.safe_load((ROOT / "deploy" / "dagster.yaml").read_text())
    hosts_limits = ours["concurrency"]["runs"]["tag_concurrency_limits"]

    assert renamed(daemon["runRetries"]) == ours["run_retries"]
    assert renamed(daemon["runMonitoring"])["max_runtime_seconds"] == ours["run_monitoring"]["max_runtime_seconds"]
    per_district, imports, archiving = queue["tag_concurrency_limits"]
    assert hosts_limits == [per_district, {**imports, "limit": 2}, archiving]  # there a pod each, here processes of one machine
    assert queue["max_concurrent_runs"] == imports["limit"] + archiving["limit"]


def test_dagster_can_store_events_where_the_values_say(values: dict[str, Any]) -> None:
    from dagster_postgres import DagsterPostgresStorage
    from dagster_postgres.utils import pg_url_from_config

    given = values["postgresql"]
    database = {
        "username": given["postgresqlUsername"],
        "password": "canary",
        "hostname": given["postgresqlHost"],
        "db_name": given["postgresqlDatabase"],
        "port": 5432,
        "params": given["postgresqlParams"],
        "scheme": given["postgresqlScheme"],
    }
    url = pg_url_from_config(accepted(DagsterPostgresStorage.config_type(), {"postgres_db": database}))

    assert url.startswith("postgresql+psycopg2://dagster:canary@db.example.org:5432/dagster?sslmode=verify-full")


def test_no_secret_stands_in_the_values(values: dict[str, Any]) -> None:
    named = re.findall(r"(?i)[\w-]*(?:password|secret|token|key)[\w-]*: (.+)", yaml.safe_dump(values))

    assert set(named) == {"false", "dagster-postgresql", "dagster/partition", "archive_feed"}


def test_one_pod_a_step_is_one_variable_away(monkeypatch: pytest.MonkeyPatch, values: dict[str, Any]) -> None:
    monkeypatch.setenv(VARIABLE, "k8s")
    chosen = executor()

    assert chosen.name == "k8s"
    shared = {key: launcher(values)[key] for key in ("env_config_maps", "env_secrets", "volumes", "volume_mounts")}
    raw = {"container_config": launcher(values)["run_k8s_config"]["container_config"]}
    accepted(chosen.config_schema.config_type, {**shared, "max_concurrent": 4, "step_k8s_config": raw})


def test_a_cluster_has_the_settings_of_one_host_but_for_its_places() -> None:
    ours = yaml.safe_load((ROOT / "deploy" / "dagster.yaml").read_text())
    one_host = yaml.safe_load((ROOT / "dagster_home" / "dagster.yaml").read_text())
    places = {key: ours.pop(key) for key in ("storage", "compute_logs")}
    assert one_host.pop("storage").keys() == {"custom"}

    assert ours == one_host
    assert places["storage"] == {"postgres": {"postgres_url": {"env": "ROSTER_ETL_DAGSTER_STORAGE"}}}


def test_dagster_takes_the_settings_of_a_cluster(tmp_path: Any) -> None:
    (tmp_path / "dagster.yaml").write_text((ROOT / "deploy" / "dagster.yaml").read_text())
    ref = InstanceRef.from_dir(str(tmp_path))

    assert ref.event_storage_data.class_name == "PostgresEventLogStorage"
    assert ref.compute_logs_data.class_name == "NoOpComputeLogManager"
    assert DagsterInstance.is_persistent

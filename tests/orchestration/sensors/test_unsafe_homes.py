"""No sensor acts on what a home says that other users could have changed."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from roster_etl.orchestration.definitions import defs
from roster_etl.orchestration.runtime.current_home import use_home
from roster_etl.store.home_integrity import UnsafeHome

POLLING = {sensor.name: sensor for sensor in defs.sensors or () if type(sensor) is dg.SensorDefinition}


@pytest.mark.parametrize("name", sorted(POLLING))
def test_a_sensor_refuses_a_home_that_others_may_change(name: str, home: Path):
    settings = home / "roster_etl.toml"
    settings.touch()
    settings.chmod(0o666)

    with use_home(home), dg.DagsterInstance.ephemeral() as instance, dg.build_sensor_context(instance=instance) as context:
        with pytest.raises(UnsafeHome):
            POLLING[name](context)


def test_there_are_sensors_that_poll():
    assert {"landing_zone", "outbox", "freshness"} <= set(POLLING)

"""IO manager of the assets' tables between steps: Arrow in the home's staging, files 0600, without password columns.

Belongs here: passing tables to the run's context. Steps read them from there by import, not through inputs: a roster table is
made of the files of one format, although every format that fills it is upstream in the graph.
"""

from __future__ import annotations

import dagster as dg
import pyarrow as pa

from roster_etl.orchestration.assets.run_resources import RunContext


class FrameIOManager(dg.IOManager):
    """Writes and reads the tables of the run's import."""

    def __init__(self, run_context: RunContext) -> None:
        self._run_context = run_context

    def handle_output(self, context: dg.OutputContext, obj: pa.Table) -> None:
        """Write the table of an asset."""
        self._run_context.write_frame(context.asset_key.path, obj)

    def load_input(self, context: dg.InputContext) -> pa.Table:
        """Return the table of an asset, of the run's import. Raises FrameError."""
        return self._run_context.read_frame(context.asset_key.path)


@dg.io_manager(required_resource_keys={"run_context"}, description="Arrow tables under the home's staging, one folder an import.")
def frame_io_manager(context: dg.InitResourceContext) -> FrameIOManager:
    """Return the IO manager of this run's context."""
    return FrameIOManager(context.resources.run_context)

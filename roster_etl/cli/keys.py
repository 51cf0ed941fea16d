"""The commands `keys init` and `keys rotate`: the key that signs receipts."""

from __future__ import annotations

from typing import Annotated

import typer

from roster_etl.cli.context import Call
from roster_etl.pipeline.reporting.receipts.issue import create_key, rotate_key
from roster_etl.store.signing_keys import KeyFolder


def init(
    call: Call,
    *,
    lost: Annotated[
        bool, typer.Option("--lost", help="Make one although receipts are signed with another key, which is not there any more.")
    ] = False,
) -> int:
    """Make the key that signs receipts; from then on every import gets one. Hand out the public key."""
    folder = KeyFolder(call.settings)
    key = create_key(call.workspace, lost=lost)
    document = {"keyid": key.keyid, "public_key": str(folder.public_file)}
    return call.show_result(
        document, f"Receipts are signed from now on. Hand out {folder.public_file}: with it, they can be verified."
    )


def rotate(call: Call) -> int:
    """Replace the key that signs receipts; every chain gets a receipt of the new key, signed with the old one."""
    done = rotate_key(call.workspace)
    public = KeyFolder(call.settings).public_file
    document = {"keyid": done.keyid, "chains": done.chains, "public_key": str(public)}
    return call.show_result(
        document, f"{done.chains} chains name the new key. Hand out {public}; receipts of before keep the old one."
    )

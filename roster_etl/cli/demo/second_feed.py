"""The second feed of the demo: a learning platform's Canvas files of the same district, with one e-mail address changed."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reconciliation.decide import decide
from roster_etl.pipeline.reconciliation.reconcile import open_differences, reconcile
from roster_etl.pipeline.uploads.order import Order
from roster_etl.store.registry.district import District, Feed

if TYPE_CHECKING:
    from roster_etl.cli.context import Call

FORMAT, OTHER = "canvas", "clever"
DECIDER = "A. Steward"
_COLUMNS = ("user_id", "login_id", "first_name", "last_name", "email", "status")


@dataclass(frozen=True, kw_only=True)
class SecondFeed:
    """The Canvas feed of `district_id`, whose files are made in `folder`."""

    district_id: str
    folder: Path

    def disagree(self, call: Call) -> dict[str, Any]:
        """Import the Canvas files, accept the difference in the address, and return what came of it when feeds are compared again."""
        number = self._import(call)
        pair = (self.district_id, FORMAT, OTHER)
        before = reconcile(call.workspace, pair)
        (difference,) = self._addresses(call, before)
        decide(call.workspace, "accept", [difference["difference_id"]], by=DECIDER, reason="the platform has its own address")
        again = reconcile(call.workspace, pair, full=True)
        (after,) = self._addresses(call, again)
        return {
            "district_id": self.district_id,
            "import_id": number,
            "matched": dict(again.by_rule["users"]),
            "difference": {name: after[name] for name in ("key_a", "key_b", "kind", "field", "decision", "decided_by")}
            | {"number": after["difference_id"]},
            "reopened": after["difference_id"] != difference["difference_id"],
        }

    def print_result(self, call: Call, found: dict[str, Any], command: str) -> None:
        """Print what the feeds disagree about, and what was decided."""
        difference, home = found["difference"], call.home
        rules = ", ".join(f"{count:,} by {rule}" for rule, count in found["matched"].items())
        call.print(
            "",
            f"— {self.district_id} also comes from its learning platform, as Canvas files: where do the two feeds disagree?",
            "",
            f"  {command} reconcile --district {self.district_id} --table users --home {home}",
            f"  Matched by exact rules: {rules}. Nobody is matched by likeness.",
            f"  Difference {difference['number']}: student {difference['key_b']['user_id']} has another e-mail address in Canvas than in Clever.",
            f'  {command} reconcile accept {difference["number"]} --by "{DECIDER}" --home {home}',
            f"  Compared again: difference {difference['number']} is {difference['decision']}, by {difference['decided_by']}, while both sides stay so.",
            "Whose records are one human, with an ID that outlives feeds and changed IDs:",
            f"  {command} people links --district {self.district_id} --record clever:student:{difference['key_b']['user_id']} --home {home}",
        )

    def _import(self, call: Call) -> int:
        district = call.registry.get(self.district_id)
        feeds = (*district.feeds, Feed(format=FORMAT))
        call.registry.update(District(**{**vars(district), "feeds": feeds}))
        return import_upload(call.workspace, Order(district_id=self.district_id, source=FORMAT, path=str(self._write(call))))

    def _write(self, call: Call) -> Path:
        """Write the users of the platform: the district's students under their own IDs, one of them with another address."""
        users = call.warehouse.roster.as_of(datetime.now(UTC), "users", self.district_id, OTHER).to_pylist()
        students = [row for row in users if row["user_kind"] == "student" and row["email"]]
        self.folder.mkdir(parents=True)
        with (self.folder / "users.csv").open("x", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(_COLUMNS)
            for number, row in enumerate(students):
                address = row["email"] if number else f"home.{row['email']}"
                writer.writerow((row["user_id"], row["user_id"], row["first_name"], row["last_name"], address, "active"))
        return self.folder

    @staticmethod
    def _addresses(call: Call, result: Any) -> list[dict[str, Any]]:
        return [row for row in open_differences(call.workspace, [result]) if row["field"] == "email"]

"""Generate the pictures of docs/pictures: the UI, reports, mail and terminals of a demo home, in a headless Chromium.

Belongs here: the list of pictures, and the content of each. All people in them are invented: a demo's samples. Needs the
development packages and a Chromium; takes some minutes. `--home` is the home of an earlier demo, which is copied.
"""

from __future__ import annotations

import argparse
import base64
import csv
import html
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roster_etl.cli.demo.processes import free_port, running_process
from roster_etl.pipeline.reporting.announce import publish_report
from roster_etl.pipeline.reporting.import_summary import read_import_summary
from roster_etl.pipeline.reporting.status_page import refresh_index
from roster_etl.pipeline.workspace import Workspace

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
MODULE = "roster_etl.orchestration.definitions"
DISTRICT, LATE, WHO, DESTINATION = "lincoln", "monroe", "A. Steward", "library"
STARTS_SECONDS = 90.0
FEED = ("--district", DISTRICT, "--format", "clever")  # the district has another feed too
LINES, WIDTH = 40, 130  # of a terminal, in characters
SETTINGS = """
[mail]
host = "127.0.0.1"
port = 9  # nobody listens: mail stays in the outbox
security = "none"
sender = "roster@example.org"
operators = ["ops@example.org"]

[ui]
url = "https://dagster.example.org"
"""
TERMINAL = (
    "<body style='margin:0;background:#fff'><pre style='display:inline-block;margin:0;padding:14px 18px;background:#16191f;color:#e3e6ea;"
    "font:13px/1.45 DejaVu Sans Mono,monospace'>{text}</pre>"
)
SERVER = "/srv/roster"  # the home's location as the pictures show it
ELSEWHERE = """([...paths]) => {
  const server = paths.pop(), nodes = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (nodes.nextNode()) for (const path of paths) nodes.currentNode.data = nodes.currentNode.data.replaceAll(path, server);
}"""
FEWER_COLOURS = """async (data) => {
  const image = await createImageBitmap(await (await fetch("data:image/png;base64," + data)).blob());
  const canvas = new OffscreenCanvas(image.width, image.height), pen = canvas.getContext("2d");
  pen.drawImage(image, 0, 0);
  const pixels = pen.getImageData(0, 0, image.width, image.height);
  for (let i = 0; i < pixels.data.length; i++) pixels.data[i] = Math.min(255, Math.round(pixels.data[i] / 17) * 17);
  pen.putImageData(pixels, 0, 0);
  const bytes = new Uint8Array(await (await canvas.convertToBlob({type: "image/png"})).arrayBuffer());
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}"""


def main() -> None:
    """Generate all pictures, and print the size of each."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--home", type=Path, help="the home of a demo; it is copied, not changed")
    words.add_argument("--only", nargs="*", default=[], metavar="NAME", help="only the pictures whose names begin so")
    given = words.parse_args()
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pictures.") as folder:
        home = Path(folder, "home")
        if given.home:
            shutil.copytree(given.home, home)
        else:
            _command(home, "demo", "--students", "120")
        prepare(home)
        with _page() as page:  # last, as it starts an event loop of its own
            studio = Studio(home, page, tuple(given.only), (given.home or home).absolute())
            studio.files()
            studio.ui()
            studio.terminals()
            studio.exports()


def prepare(home: Path) -> None:
    """Configure mail and Data Docs, and a feed that is late."""
    (home / "roster_etl.toml").write_text(SETTINGS)
    _command(home, "districts", "contacts", DISTRICT, "data@lincoln.example.org")
    workspace = Workspace.open(home)
    for status in ("held", "published"):
        publish_report(workspace, read_import_summary(workspace, _newest(home, status)))
    _command(home, "data-docs", str(_newest(home, "held")))
    _late_district(home)


def _late_district(home: Path) -> None:
    """Add a district whose only upload was rejected, and which is late now."""
    _command(home, "districts", "add", LATE, "--format", "clever", "--name", "Monroe Parish Schools")
    lacking = home / "lacking"
    lacking.mkdir()
    shutil.copy(home / "samples" / DISTRICT / "day1" / "students.csv", lacking)
    _command(home, "import", str(lacking), "--district", LATE)
    _command(home, "districts", "contacts", LATE, "data@monroe.example.org")
    _command(home, "districts", "expect", LATE, "--by", f"{datetime.now(UTC) - timedelta(minutes=2):%H:%M}")
    _look_for_late_feeds(home)


class Studio:
    """A demo's home, a browser page, and the pictures to generate (none named: all). ``shown``: the home in the UI's log."""

    def __init__(self, home: Path, page: Page, only: Sequence[str], shown: Path) -> None:
        self.home, self.page, self.only, self.shown = home, page, only, shown
        self.held, self.last = _newest(home, "held"), _newest(home, "published")

    def files(self) -> None:
        """Generate the pictures of files: status, reports, Data Docs, mail."""
        refresh_index(Workspace.open(self.home))
        self._open(f"file://{self.home}/reports/index.html", 1180, 900)
        self._shoot("status")
        reports = self.home / "reports" / DISTRICT
        self._open(f"file://{reports}/{self.held}.html", 900, 900)
        self._shoot("report")
        self._shoot("report-plan", "#changes")
        self._shoot("report-charts", "#history")
        self.page.evaluate("scrollTo(0, 0)")  # a picture of a part leaves the page there
        self.page.emulate_media(color_scheme="dark")
        self._shoot("report-dark")
        self.page.set_viewport_size({"width": 794, "height": 1123})  # A4 at 96 dots an inch
        self.page.emulate_media(color_scheme="light", media="print")
        self.page.evaluate("scrollTo(0, 0)")
        self._shoot("report-paper")
        self.page.emulate_media(media="screen")
        self._open(f"file://{reports}/{self.held}.html", 390, 1400)
        self._shoot("report-phone")
        self._open(f"file://{reports}/{self.last}.html", 1000, 900)
        self._shoot("findings", "#findings")
        self._open(f"file://{reports}/{self.held}.data_docs/canonical.users.html", 1000, 650)
        self._shoot("data-docs")
        for message in Workspace.open(self.home).outbox.messages():
            self.page.set_viewport_size({"width": 760, "height": 900})
            self.page.set_content(message.html)
            if name := _mail_name(message.about):
                self._shoot(name, "html")

    def ui(self) -> None:
        """Generate the pictures of the Dagster UI."""
        with _webserver(self.home) as url:
            self._hide_navigation(url)
            at = f"view=partitions&partition={DISTRICT}"
            self._open(f"{url}/assets/roster/plan?{at}", 1180, 1080)
            self._shoot("ui-plan", text="how_to_decide")
            link = self.page.locator("a[href*='/jobs/approve_hold/playground/setup']").first.get_attribute("href")
            self._open(f"{url}/assets/warehouse/users?{at}", 1100, 1080)
            self._shoot("ui-published", text="cli_commands")
            self._open(f"{url}/assets/report?{at}", 1100, 1080)
            self._shoot("ui-report", text="cli_commands")
            self._open(f"{url}{link}", 1100, 560)
            self._shoot("ui-approve", text="Launch run")
            self._open(f"{url}/assets/clever/upload?view=checks&checkDetail=fresh", 1100, 640)
            self._shoot("freshness", text="expected by")

    def terminals(self) -> None:
        """Generate the pictures of commands; some of them change the home, so they come last."""
        samples = self.home / "samples" / DISTRICT
        self._terminal("check", "check", str(samples / "day3"), *FEED)
        self._terminal("holds", "holds", "show", str(self.held), "--leave-out", "contacts", first=12, last=13)
        self._terminal("refused", "refused", *FEED)
        self._terminal("outbox", "outbox", "list")
        self._terminal("metrics", "metrics", first=12)
        key = self._someone()
        edit = (*FEED, "--field", "preferred_first_name")
        self._run("override", "set", "users", *key, *edit, "--value", "Kit", "--by", WHO)
        self._terminal("override", "override", "list", "--district", DISTRICT)
        self._terminal("trace", "trace", "users", *key, *edit)
        self._run("import", str(_under_a_new_id(samples / "day2", self.home / "renamed", key)), *FEED)
        renamed = Workspace.open(self.home).warehouse.ledger.imports(DISTRICT, limit=1)[0]["import_id"]
        self._terminal("renames", "renames", "list", str(renamed))
        self._terminal("changes", "changes", *FEED, "--since", str(renamed - 1), first=12)
        self._terminal("undo", "undo", str(renamed), "--by", WHO)

    def exports(self) -> None:
        """Generate the pictures of an export, and of one that is refused, as half of the students are missing by then."""
        if self.only and not "ui-export".startswith(tuple(self.only)):
            return
        add = (
            "destinations",
            "add",
            DESTINATION,
            "--district",
            DISTRICT,
            "--format",
            "oneroster",
            "--to",
            str(self.home / "sent"),
        )
        self._run(*add, "--source", "clever", "--option", "user_ids=kinded", "--when", "0 0 1 1 *")
        _send_in_dagster(self.home)
        at = f"{DESTINATION}?view=partitions&partition={DISTRICT}"
        with _webserver(self.home) as url:
            self._hide_navigation(url)
            self._open(f"{url}/assets/export/{at}", 1000, 960)
            self._shoot("ui-export", text="losses")
        self._run("import", str(self.home / "samples" / DISTRICT / "day3"), *FEED)
        self._run("holds", "approve", str(_newest(self.home, "held")), "--by", WHO)
        _send_in_dagster(self.home)
        with _webserver(self.home) as url:
            self._hide_navigation(url)
            self._open(f"{url}/assets/export/{DESTINATION}?view=checks&checkDetail=shrink", 1240, 700)
            self._shoot("ui-export-refused", text="why")

    def _hide_navigation(self, url: str) -> None:
        self._open(f"{url}/runs", 1280, 900)
        self.page.get_by_text("Hide navigation").click(timeout=60_000)

    def _someone(self) -> tuple[str, str]:
        """Return the key of a student, as command-line arguments."""
        users = Workspace.open(self.home).warehouse.roster.as_of(datetime.now(UTC), "users", DISTRICT, "clever").to_pylist()
        student = next(user for user in users if user["user_kind"] == "student" and user["middle_name"])
        return "user_kind=student", f"user_id={student['user_id']}"

    def _open(self, url: str, width: int, height: int) -> None:
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.goto(url)

    def _shoot(self, name: str, part: str | None = None, *, text: str | None = None) -> None:
        """Write the picture `name` of the open page, or of its first `part`, once `text` is visible."""
        if self.only and not name.startswith(tuple(self.only)):
            return
        if text:
            self.page.get_by_text(text).first.wait_for(timeout=60_000)
            self.page.wait_for_timeout(2_000)  # the UI is still fetching
        self.page.evaluate(ELSEWHERE, [str(self.home), str(self.shown), SERVER])
        taken = self.page.locator(part).first.screenshot() if part else self.page.screenshot()
        page = self.page.context.new_page()
        smaller = str(page.evaluate(FEWER_COLOURS, base64.b64encode(taken).decode())).encode("latin-1")
        page.close()
        (PICTURES / f"{name}.png").write_bytes(smaller)
        print(f"{name}.png: {len(smaller) / 1000:.0f} KB")

    def _terminal(self, name: str, *words: str, first: int = LINES, last: int = 0) -> None:
        """Write the picture `name` of a command, with the first and last lines of its output."""
        if self.only and not name.startswith(tuple(self.only)):
            return
        lines = self._run(*words).replace(str(self.home), SERVER).splitlines()
        typed = " ".join(f'"{word}"' if " " in word else word for word in words).replace(f"{self.home}/", "")
        kept = lines if len(lines) <= first + last else [*lines[:first], "…", *lines[len(lines) - last :]]
        shown = [line[:WIDTH] + ("…" if len(line) > WIDTH else "") for line in kept]
        self.page.set_viewport_size({"width": 1300, "height": 900})
        self.page.set_content(TERMINAL.format(text=html.escape("\n".join([f"$ roster-etl {typed}", *shown]))))
        self._shoot(name, "pre")

    def _run(self, *words: str) -> str:
        return _command(self.home, *words)


def _mail_name(about: str) -> str | None:
    """Return the name of the picture of a mail about `about`; None: none is made of it."""
    if about.endswith("-operators"):
        return "mail-operator" if "-held-" in about else None
    return "mail-late" if about.startswith("late") else "mail" if about.endswith("-published") else None


def _command(home: Path, *words: str) -> str:
    """Return the output of a command of ours."""
    said = subprocess.run(
        [sys.executable, "-m", "roster_etl.cli", *words, "--home", str(home)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "150"},
        capture_output=True,
        text=True,
        check=False,
    )
    if said.returncode not in (0, 3, 4):  # rejected and held are expected of some
        raise SystemExit(f"{' '.join(words)}: exit code {said.returncode}\n{said.stderr}")
    return said.stdout


def _newest(home: Path, status: str) -> int:
    """Return the newest import of the district's Clever feed with this status."""
    imports = Workspace.open(home).warehouse.ledger.imports(DISTRICT)
    return next(int(row["import_id"]) for row in imports if row["source"] == "clever" and row["status"] == status)


def _look_for_late_feeds(home: Path) -> None:
    """Run one tick of the sensor `freshness`: write mail, and have a run show late feeds."""
    from roster_etl.orchestration.jobs.in_process_runs import home_instance
    from roster_etl.orchestration.runtime.current_home import use_home
    from roster_etl.orchestration.sensors.freshness_sensor import check_feed_freshness, evaluate_freshness, late_feeds

    tick = check_feed_freshness(Workspace.open(home), None, datetime.now(UTC))
    config = {"ops": {evaluate_freshness.name: {"config": {"feeds": [feed.key for feed in tick.newly_late]}}}}
    with use_home(home), home_instance(home) as instance:
        late_feeds.execute_in_process(run_config=config, instance=instance)


def _send_in_dagster(home: Path) -> None:
    """Materialize the asset of the destination for the district, as the button in the UI does; it may be refused."""
    words = ("asset", "materialize", "--select", f"export/{DESTINATION}", "--partition", DISTRICT, "-m", MODULE)
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "DAGSTER_HOME": str(home), "ROSTER_ETL_HOME": str(home)}
    subprocess.run([sys.executable, "-m", "dagster", *words], cwd=home, env=environ, capture_output=True, check=False)


def _under_a_new_id(upload: Path, to: Path, key: Sequence[str]) -> Path:
    """Return a copy of an upload in which one student has another id."""
    old = key[1].partition("=")[2]
    shutil.copytree(upload, to)
    for file in to.glob("*.csv"):
        with file.open(encoding="utf-8", newline="") as source:
            rows = list(csv.DictReader(source))
        for row in rows:
            row.update({name: "9001" for name in ("Student_id",) if row.get(name) == old})
        with file.open("w", encoding="utf-8", newline="") as target:
            writer = csv.DictWriter(target, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return to


@contextmanager
def _webserver(home: Path) -> Iterator[str]:
    port = free_port()
    environment: Mapping[str, str] = {"DAGSTER_HOME": str(home), "ROSTER_ETL_HOME": str(home)}
    words = ["-h", "127.0.0.1", "-p", str(port), "-w", str(home / "workspace.yaml")]
    with running_process("dagster_webserver", words, environment=environment, folder=home, log=home / "webserver.log"):
        url = f"http://127.0.0.1:{port}"
        until = time.monotonic() + STARTS_SECONDS
        while not _answers(url):
            if time.monotonic() > until:
                raise SystemExit(f"the UI did not come up; see {home / 'webserver.log'}")
            time.sleep(1)
        yield url


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/server_info", timeout=5):  # noqa: S310 - our own server
            return True
    except OSError:
        return False


@contextmanager
def _page() -> Iterator[Any]:
    """Yield a browser page that can reach this machine only."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    rules = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", rules])
        yield browser.new_context(color_scheme="light").new_page()
        browser.close()


if __name__ == "__main__":
    main()

"""One Chromium for all tests of a process, which runs in a thread of its own.

Playwright keeps an event loop running in the thread that uses it. In a thread of its own it can stay for the whole run: starting it takes ten
times what a page takes, and no test is in its way that has a loop, too.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
# No sandbox: containers and CI machines run as root. No other host resolves.
_OPTIONS = ("--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost")


class InThread:
    """An object of Playwright: what is asked of it is done in the browser's thread, and what it returns is used in the same way."""

    def __init__(self, thread: ThreadPoolExecutor, target: Any) -> None:
        self._thread, self._target = thread, target

    def __getattr__(self, name: str) -> Any:
        found = self._thread.submit(getattr, self._target, name).result()
        return self._called_there(found) if callable(found) else self._used_there(found)

    def _called_there(self, method: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **named: self._used_there(self._thread.submit(method, *args, **named).result())

    def _used_there(self, found: Any) -> Any:
        return InThread(self._thread, found) if type(found).__module__.startswith("playwright.") else found


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium, or the test is skipped."""
    for name in (os.environ.get("CHROMIUM"), *_BROWSERS):
        if name and (path := shutil.which(name)):
            return path
    pytest.skip(f"no Chromium on this machine (looked for {', '.join(_BROWSERS)}, and $CHROMIUM)")


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[InThread]:
    """A running Chromium, which reaches this machine only."""
    from playwright.sync_api import sync_playwright

    with ThreadPoolExecutor(1, thread_name_prefix="browser") as thread:
        playwright = thread.submit(sync_playwright().start).result()
        try:
            started = thread.submit(playwright.chromium.launch, executable_path=chromium, args=list(_OPTIONS)).result()
            yield InThread(thread, started)
            thread.submit(started.close).result()
        finally:
            thread.submit(playwright.stop).result()


@pytest.fixture
def page(browser: InThread) -> Iterator[InThread]:
    """A fresh page, with cookies, storage and cache of its own."""
    page = browser.new_page()
    yield page
    page.close()

"""Chromium without a window, to look at a page as its readers do."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
REQUIRED = "THEORY_REQUIRE_BROWSER"  # if set, as in .ci/run, a missing browser is a failure

LAPTOP, PHONE = (1280, 800), (390, 844)


def installed() -> tuple[str, str]:
    """Paths of the browser and its driver. Skips the test, and says so, if they are not installed;
    fails if they have to be."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        reason = (
            "the page was NOT looked at in a browser: install chromium and chromedriver (Debian:"
            " chromium chromium-driver)"
        )
        if os.environ.get(REQUIRED):
            pytest.fail(reason)
        pytest.skip(reason)
    return browser, driver


@contextmanager
def started() -> Iterator["Browser"]:
    """A browser with a new profile, which is gone afterwards."""
    browser, driver = installed()
    profile = tempfile.mkdtemp(prefix="browser-")
    options = Options()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield Browser(chrome)
    finally:
        chrome.quit()
        shutil.rmtree(profile, ignore_errors=True)


class Browser:
    """A tab: opens a page on a screen of some size, and tells what the page and its scripts do."""

    def __init__(self, chrome: webdriver.Chrome) -> None:
        self.chrome = chrome

    def open(
        self,
        page: Path,
        size: tuple[int, int] = LAPTOP,
        *,
        scheme: str = "light",
        media: str = "screen",
        scripts: bool = True,
        fragment: str = "",
    ) -> None:
        width, height = size
        for log in ("browser", "performance"):
            self.chrome.get_log(log)  # what earlier pages left
        self.chrome.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
        self.chrome.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500},
        )
        self.chrome.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"media": media, "features": [{"name": "prefers-color-scheme", "value": scheme}]},
        )
        self.chrome.get("about:blank")
        self.chrome.get(f"{page.as_uri()}{fragment}")

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that the body of a function returns in the page."""
        return self.chrome.execute_script(script, *arguments)

    def complaints(self) -> list[str]:
        """What scripts, style sheets or policies complained about since the page was opened."""
        return [entry["message"] for entry in self.chrome.get_log("browser")]

    def requests(self) -> list[str]:
        """What the page asked for, besides itself, blank pages and data that it holds."""
        messages = (
            json.loads(entry["message"])["message"] for entry in self.chrome.get_log("performance")
        )
        urls = [
            m["params"]["request"]["url"]
            for m in messages
            if m["method"] == "Network.requestWillBeSent"
        ]
        return [
            url
            for url in urls
            if urlparse(url).scheme not in ("about", "data") and not url.endswith(".html")
        ]

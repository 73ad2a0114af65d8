"""A real browser, and what tests ask of it."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

PATIENCE = 50.0
LOOK_SECONDS = 0.01
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


def tool(name: str) -> str:
    """Find a program, or skip the test; in CI, where everything has to be there, fail."""
    found = shutil.which(name)
    if found is not None:
        return found
    reason = f"no {name}: apt-get install chromium chromium-driver"
    if os.environ.get("BEAMISH_REQUIRE_TOOLS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


class Browser:
    """One page at a time, asked from an event loop that the page's server runs in.

    Args:
        driver: What drives it; it blocks, so it works in a thread.
    """

    def __init__(self, driver: webdriver.Chrome) -> None:
        self._driver = driver

    def resize(self, width: int, height: int) -> None:
        """Set the size of the screen."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def leave(self) -> None:
        """Open an empty tab, and clear the log.

        A tab keeps the tokens of each address, and a later server can get the port of an earlier.
        """
        self._driver.get("about:blank")
        left = self._driver.current_window_handle
        self._driver.switch_to.new_window("tab")
        fresh = self._driver.current_window_handle
        self._driver.switch_to.window(left)
        self._driver.close()
        self._driver.switch_to.window(fresh)
        self.console()

    def console(self) -> list[str]:
        """Record the messages of the console, including violations of the policy."""
        return [entry["message"] for entry in self._driver.get_log("browser")]

    async def open(self, url: str) -> None:
        """Load a page."""
        await asyncio.to_thread(self._driver.get, url)

    async def run(self, script: str, *arguments: object) -> Any:
        """Return the result of a script."""
        return await asyncio.to_thread(self._driver.execute_script, script, *arguments)

    async def until(self, expression: str, *arguments: object) -> Any:
        """Wait until an expression is true, and return its value."""
        return await asyncio.to_thread(self._until, f"return {expression}", *arguments)

    async def until_text(self, selector: str, text: str) -> None:
        """Wait until the element of a selector contains a text."""
        find = "[...document.querySelectorAll(arguments[0])].some(one => one.checkVisibility()"
        await self.until(f"{find} && one.innerText.includes(arguments[1]))", selector, text)

    async def text(self, selector: str) -> str:
        """Return the text of an element."""
        return str(
            await self.run("return document.querySelector(arguments[0]).innerText", selector)
        )

    async def press(self, *keys: str) -> None:
        """Press keys where the focus is."""
        actions = webdriver.ActionChains(self._driver, duration=0).send_keys(*keys)
        await asyncio.to_thread(actions.perform)

    async def click(self, selector: str) -> None:
        """Click as a mouse does: on whatever is there."""
        await asyncio.to_thread(self._driver.find_element(By.CSS_SELECTOR, selector).click)

    async def enter(self, selector: str, text: str) -> None:
        """Type a text into a field, and send it."""
        await self.run("document.querySelector(arguments[0]).focus()", selector)
        await self.press(text, Keys.ENTER)

    def _until(self, script: str, *arguments: object) -> Any:
        end = time.monotonic() + PATIENCE
        while not (found := self._driver.execute_script(script, *arguments)):
            if time.monotonic() > end:
                page = self._driver.execute_script("return document.body.innerText")
                raise AssertionError(f"never: {script} {arguments}; {self.console()}; {page}")
            time.sleep(LOOK_SECONDS)
        return found


@contextmanager
def running() -> Iterator[Browser]:
    """Run a browser with a profile of its own."""
    options = webdriver.ChromeOptions()
    options.binary_location = tool("chromium")
    service = Service(tool("chromedriver"))
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        driver = webdriver.Chrome(options=options, service=service)
        try:
            yield Browser(driver)
        finally:
            driver.quit()

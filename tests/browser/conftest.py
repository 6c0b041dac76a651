"""Chromium, as a visitor has it."""

import os
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import ConsoleMessage, Page, async_playwright

HOW = "there is no chromium on PATH (on Debian and Ubuntu: apt install chromium)"


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A page in Chromium; what goes wrong in its scripts, or stands in its console, fails the test."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(HOW)
        pytest.skip(HOW)
    faults: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = await browser.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if _is_a_fault(message) else None)
        yield page
        await browser.close()
    assert faults == []


def _is_a_fault(message: ConsoleMessage) -> bool:
    """Tell whether it is more than Chromium's note that an answer was a refusal."""
    return message.type in ("error", "warning") and not message.text.startswith("Failed to load resource")

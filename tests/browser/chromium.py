"""Find and run Chromium for tests and screenshots; if a page doesn't open in time, the error names the step."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from playwright.async_api import Browser, Page, Playwright, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
HEADLESS_SHELL = "chromium-headless-shell"
"""The same engine without the browser around it, which takes half of the CPU time; it has no back/forward cache."""

NOT_FOUND = "There is no Chromium on the PATH (Debian and Ubuntu: apt install chromium)"

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",  # with it, new pages hang less often: microsoft/playwright#4761
)

STEP_SECONDS = 20.0
"""How long each step of opening or closing a page may take; on a busy machine it takes two."""


def find_chromium() -> str | None:
    """Return the path of Chromium, or None if it is not installed."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def require_chromium() -> str:
    """Return the path of Chromium; if it is not installed, end the program with a hint how to install it."""
    return find_chromium() or sys.exit(NOT_FOUND)


@asynccontextmanager
async def time_limit(step: str, seconds: float = STEP_SECONDS) -> AsyncIterator[None]:
    """Raise TimeoutError with the name of the step if the block takes longer than `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise TimeoutError(f"{step} took longer than {seconds} seconds") from error


class Chromium:
    """One running browser that opens pages, each with cookies of its own."""

    def __init__(self, playwright: Playwright, launch_options: dict[str, Any]) -> None:
        self._playwright = playwright
        self._launch_options = launch_options
        self._browser: Browser | None = None

    async def new_page(self, **context_options: Any) -> Page:
        """Return a page in a new context.

        Playwright sets no time limit here, and now and then Chromium never answers (microsoft/playwright#4761, #42692).
        The browser is then launched again, once; if that fails too, TimeoutError is raised.
        """
        try:
            return await self._new_page(context_options)
        except TimeoutError:
            await self.close()
            return await self._new_page(context_options)

    async def _new_page(self, context_options: dict[str, Any]) -> Page:
        if self._browser is None:
            async with time_limit("Launching Chromium"):
                self._browser = await self._playwright.chromium.launch(**self._launch_options)
        async with time_limit("Browser.new_context"):
            context = await self._browser.new_context(**context_options)
        async with time_limit("BrowserContext.new_page"):
            return await context.new_page()

    async def close(self) -> None:
        """Close the browser; one that does not answer ends with Playwright's driver."""
        if self._browser is not None:
            with suppress(TimeoutError):
                async with time_limit("Closing Chromium"):
                    await self._browser.close()
            self._browser = None


@asynccontextmanager
async def running_chromium(path: str, **launch_options: Any) -> AsyncIterator[Chromium]:
    """Yield a Chromium that is closed at the end of the block."""
    async with time_limit("Starting Playwright's driver"):
        playwright = await async_playwright().start()
    chromium = Chromium(playwright, {"executable_path": path, "args": [*ARGUMENTS], **launch_options})
    try:
        yield chromium
    finally:
        await chromium.close()
        async with time_limit("Stopping Playwright's driver"):
            await playwright.stop()

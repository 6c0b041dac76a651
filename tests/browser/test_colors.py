"""The colors of the pages follow the system, with and without scripts."""

from typing import Literal

import pytest
from playwright.async_api import Page

BACKGROUNDS = {"light": "rgb(245, 248, 248)", "dark": "rgb(15, 24, 27)"}


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pages_have_the_colors_of_the_system(
    base_url: str, page: Page, scheme: Literal["light", "dark"], scripts: bool
) -> None:
    await page.emulate_media(color_scheme=scheme)
    await page.goto(f"{base_url}/login")
    color = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert color == BACKGROUNDS[scheme]

"""A student without a mouse: goes from one control to the next, and sees where that is."""

from playwright.async_api import Locator, Page, expect

FARTHEST = 200
"""Stops that a page may have before the one that is looked for."""

IS_HERE = """control => {
    const look = control === document.activeElement && getComputedStyle(control);
    return look && look.outlineStyle !== 'none' && parseFloat(look.outlineWidth) >= 2;
}"""
"""Tells whether the control has the focus, and shows it."""


async def go_to(page: Page, control: Locator) -> None:
    """Press Tab until the control has the focus."""
    await expect(control).to_have_count(1)
    found = await control.element_handle()
    for _ in range(FARTHEST):
        await page.keyboard.press("Tab")
        if await found.evaluate(IS_HERE):
            return
    raise AssertionError(f"No Tab leads visibly to {control}")


async def press(page: Page, name: str, role: str = "button") -> None:
    """Go to the button or link of that name and press it."""
    await go_to(page, page.get_by_role(role, name=name, exact=True))  # type: ignore[arg-type]
    await page.keyboard.press("Enter")


async def write(page: Page, label: str, text: str) -> None:
    """Go to the field of that label and type."""
    await go_to(page, page.get_by_label(label, exact=True))
    await page.keyboard.type(text)

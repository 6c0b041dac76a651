"""Keyboard-only navigation: moves from control to control and requires a visible focus."""

from playwright.async_api import Locator, Page, expect

MAX_TAB_STOPS = 200
"""Tab stops to try before giving up."""

HAS_VISIBLE_FOCUS = """control => {
    const look = control === document.activeElement && getComputedStyle(control);
    return look && look.outlineStyle !== 'none' && parseFloat(look.outlineWidth) >= 2;
}"""
"""Tells whether the control has a visible focus."""


async def tab_to(page: Page, control: Locator) -> None:
    """Press Tab until the control is focused."""
    await expect(control).to_have_count(1)
    element = await control.element_handle()
    for _ in range(MAX_TAB_STOPS):
        await page.keyboard.press("Tab")
        if await element.evaluate(HAS_VISIBLE_FOCUS):
            return
    raise AssertionError(f"No Tab leads visibly to {control}")


async def press(page: Page, name: str, role: str = "button") -> None:
    """Move to the button or link with that name and press it."""
    await tab_to(page, page.get_by_role(role, name=name, exact=True))  # type: ignore[arg-type]
    await page.keyboard.press("Enter")


async def open_details(page: Page, text: str) -> None:
    """Move to what opens the details with that text, and open them."""
    await tab_to(page, page.locator("summary:visible").filter(has_text=text))
    await page.keyboard.press("Enter")


async def type_text(page: Page, label: str, text: str) -> None:
    """Move to the field with that label and type the text."""
    await tab_to(page, page.get_by_label(label, exact=True))
    await page.keyboard.type(text)

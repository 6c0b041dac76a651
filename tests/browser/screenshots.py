"""Screenshots of every page for the documentation: `make screenshots` takes them of the current demo school."""

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from playwright.async_api import CDPSession, Page

from quart_enroll.cli.develop import DEMO_PASSWORD
from tests.browser.chromium import Chromium, require_chromium, running_chromium
from tests.browser.demo import PROJECT, demo_site

FOLDER = PROJECT / "docs" / "screenshots"
WIDTHS = {"phone": 390, "desktop": 1280}
THEMES = ("light", "dark")
MAX_HEIGHTS = {"phone": 1800, "desktop": 1500}
"""Maximum height of a screenshot in pixels."""

WEBP_QUALITY = 60

Step = Callable[[Page], Awaitable[object]]


@dataclass(frozen=True)
class Shot:
    """A page: its name, its caption, the user who is signed in, its path, and the steps before the screenshot."""

    name: str
    caption: str
    user: str
    path: str
    steps: tuple[Step, ...] = ()


async def _add_four_to_plan(page: Page) -> None:
    """Add the first four courses on the page to the plan."""
    for number in range(4):
        row = page.locator(".course-row").nth(number)
        await row.locator("summary").first.click()
        await row.get_by_role("button", name="Add to plan").first.click()
        await page.get_by_role("button", name="Remove from plan").nth(number).wait_for()


def _press(name: str) -> Step:
    return lambda page: page.get_by_role("button", name=name).first.click()


def _expand(summary: str) -> Step:
    return lambda page: page.get_by_text(summary).click()


def _follow(link: str) -> Step:
    return lambda page: page.get_by_role("main").get_by_role("link", name=link).first.click()


async def _open_first_section(page: Page) -> None:
    await page.get_by_role("rowheader").get_by_role("link").first.click()


async def _raise_capacity(page: Page) -> None:
    field = page.get_by_label("Capacity")
    await field.fill(str(int(await field.input_value()) + 2))
    await page.get_by_role("button", name="Save").click()


SECTION = "term={next}&courseID=4444&section=01"
"""A section of a term that isn't open yet."""

WAITED_FOR = "/staff/sections?seats=waiting"
"""The sections for which students wait."""

SHOTS = [
    Shot("home", "Home", "", "/"),
    Shot("register", "Creating an account", "", "/register"),
    Shot("register-errors", "Errors in a form", "", "/register", (_press("Create account"),)),
    Shot("login", "Signing in", "", "/login"),
    Shot("forgot", "Forgotten password", "", "/password/forgot"),
    Shot("catalog", "The catalog of a term", "ada", "/courses/"),
    Shot("search", "Searching and filtering", "ada", "/courses/?q=data&open=y&days=T&days=R&sort=seats"),
    Shot("nothing-found", "No results, and which filters to remove", "ada", "/courses/?q=data&days=S"),
    Shot("course", "A course with its sections", "ada", "/course/MAT115"),
    Shot("schedule", "The schedule with the week at a glance", "ada", "/enrollment"),
    Shot("first-visit", "The schedule of a new student", "bob", "/enrollment"),
    Shot("plan", "A plan for the next term", "ada", "/plan?term={next}"),
    Shot("history", "The enrollment history", "ada", "/enrollment/history"),
    Shot("shared-links", "Sharing the schedule", "ada", "/enrollment/links"),
    Shot("account", "The account", "ada", "/account"),
    Shot("timezone", "Choosing a time zone", "ada", "/account/timezone"),
    Shot("emails", "Choosing which emails to get", "ada", "/account/emails"),
    Shot("tokens", "API access", "ada", "/account/tokens"),
    Shot("delete", "Confirming an action that can't be undone", "ada", "/account/delete"),
    Shot("help", "Help", "ada", "/help"),
    Shot("error", "A page that doesn't exist", "ada", "/courses/Never"),
    Shot("staff", "The first page for staff", "rita", "/staff"),
    Shot("students", "The list of students", "rita", "/staff/students"),
    Shot("record", "A student's record", "rita", "/staff/students/1"),
    Shot("why", "Eligibility check", "rita", f"/staff/students/2/why?{SECTION}"),
    Shot("act", "Overriding a rule for a student", "rita", f"/staff/students/2/act?action=enroll&{SECTION}"),
    Shot("sections", "The list of sections", "rita", "/staff/sections"),
    Shot("section", "A section", "rita", WAITED_FOR, (_open_first_section,)),
    Shot("section-effects", "The effects of a change", "rita", WAITED_FOR, (_open_first_section, _raise_capacity)),
    Shot("cancel", "Canceling a section", "rita", WAITED_FOR, (_open_first_section, _follow("Cancel section"))),
    Shot("roster", "The roster of a section", "rita", WAITED_FOR, (_follow("Roster"),)),
    Shot("terms", "The list of terms", "rita", "/staff/terms"),
    Shot("dashboard", "The dashboard", "rita", "/staff/dashboard"),
    Shot("import", "Importing a file", "rita", "/staff/import/new"),
    Shot("person", "Giving a person roles", "rita", "/staff/people/8"),
    Shot("access", "The access log", "rita", "/staff/access"),
    Shot("instructor", "The sections of an instructor", "sofia", "/staff/sections"),
    Shot("api", "The documentation of the API", "", "/api/v1/docs"),
]


async def main() -> None:
    path = require_chromium()
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.webp"):
        old.unlink()
    with demo_site() as base_url:
        async with running_chromium(path) as chromium:
            for user in dict.fromkeys(shot.user for shot in SHOTS):
                await _take_all(chromium, base_url, user)
    (FOLDER.parent / "screenshots.md").write_text(_document(), "utf-8")
    size = sum(file.stat().st_size for file in FOLDER.glob("*.webp"))
    print(f"{len(SHOTS)} pages in docs/screenshots.md, {size / 1e6:.1f} MB")


async def _take_all(chromium: Chromium, base_url: str, user: str) -> None:
    """Take the screenshots of all pages that this user sees."""
    page = await chromium.new_page(viewport={"width": WIDTHS["desktop"], "height": 800}, reduced_motion="reduce")
    camera = await page.context.new_cdp_session(page)
    if user:
        await page.goto(f"{base_url}/login")
        await page.get_by_label("Email").fill(f"{user}@school.example")
        await page.get_by_label("Password").fill(DEMO_PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_text("You’re signed in").wait_for()
    next_term = await _next_term(page, base_url)
    if user == "ada":
        await page.goto(f"{base_url}/courses/{next_term}?q=introduction")
        await _add_four_to_plan(page)
        await page.goto(base_url)
    for shot in SHOTS:
        if shot.user == user:
            await page.goto(base_url + shot.path.format(next=next_term))
            for step in shot.steps:
                await step(page)
            await _take(page, camera, shot.name)
    await page.context.close()


async def _take(page: Page, camera: CDPSession, name: str) -> None:
    for device, width in WIDTHS.items():
        for theme in THEMES:
            await page.set_viewport_size({"width": width, "height": 800})
            await page.emulate_media(color_scheme=theme)
            await page.locator(f"html[data-bs-theme={theme}]").wait_for()
            height = min(await page.evaluate("document.documentElement.scrollHeight"), MAX_HEIGHTS[device])
            clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
            options = {"format": "webp", "quality": WEBP_QUALITY, "captureBeyondViewport": True, "clip": clip}
            screenshot = await camera.send("Page.captureScreenshot", options)
            (FOLDER / f"{name}-{device}-{theme}.webp").write_bytes(base64.b64decode(screenshot["data"]))


async def _next_term(page: Page, base_url: str) -> str:
    """Return the name of the last term, which opens next."""
    found = await (await page.request.get(f"{base_url}/api/v1/terms")).text()
    return re.findall(r'"term":"([^"]+)"', found)[-1]


def _document() -> str:
    """Return the Markdown page with all screenshots."""
    pages = "\n".join(_section(shot) for shot in SHOTS)
    return (
        "# Screenshots\n\n"
        "Every page on a desktop and on a phone, in light and dark mode. `make screenshots` takes these\n"
        "pictures again, from a demo school created for the day.\n"
        f"{pages}"
    )


def _section(shot: Shot) -> str:
    images = "\n".join(
        f'<img src="screenshots/{shot.name}-{device}-{theme}.webp" alt="{shot.caption}: {device}, {theme}" '
        f'width="{480 if device == "desktop" else 180}">'
        for device in reversed(WIDTHS)
        for theme in THEMES
    )
    return f"\n## {shot.caption}\n\n{images}\n"


if __name__ == "__main__":
    asyncio.run(main())

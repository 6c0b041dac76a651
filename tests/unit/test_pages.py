"""Pages for visitors who are not signed in."""

import re
from urllib.parse import unquote

import pytest

from tests.support.people import Browser, text

PAGES = ["/", "/courses/", "/login", "/register", "/enrollment/form", "/help", "/nothing"]


async def test_every_page_has_a_title_of_its_own_and_a_language(anyone: Browser) -> None:
    titles = set()
    for path in PAGES:
        page = await text(await anyone.get(path, headers={"Sec-Fetch-Site": "none"}))
        titles.add(re.findall(r"<title>(.+?)</title>", page)[0])
        assert '<html lang="en"' in page
    assert len(titles) == len(PAGES)


@pytest.mark.parametrize(
    ("path", "label"),
    [("/", "Home"), ("/courses/", "Courses"), ("/login", "Sign in"), ("/register", "Create account")],
)
async def test_the_navigation_marks_the_current_page(anyone: Browser, path: str, label: str) -> None:
    page = await anyone.read(path)
    assert re.findall(r'aria-current="page">([^<]+)<', page)[0] == label


async def test_visitors_can_sign_in_or_create_an_account_and_see_no_schedule(anyone: Browser) -> None:
    page = await anyone.read("/")
    assert "Sign in" in page
    assert "Create account" in page
    assert "Your schedule" not in page
    assert "Sign out" not in page


async def test_a_visitors_enroll_button_leads_through_sign_in_to_the_form(anyone: Browser) -> None:
    form = "/enrollment/form?courseID=1111&term=Fall+2026&section=01"
    for path in ("/courses/", form):
        links = re.findall(r'href="/login\?next=([^"]+)"', await anyone.read(path))
        assert form in map(unquote, links), path
    assert 'value="1111"' in await anyone.read("/enrollment/form?courseID=1111&term=Fall+2026")


async def test_catalog_text_is_escaped(anyone: Browser) -> None:
    page = await anyone.read("/enrollment/form?courseID=<script>alert(1)</script>")
    assert "<script>alert" not in page

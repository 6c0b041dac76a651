"""What a visitor who is not signed in sees."""

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
    [("/", "Home"), ("/courses/", "Classes"), ("/login", "Login"), ("/register", "Register")],
)
async def test_the_navigation_marks_the_current_page(anyone: Browser, path: str, label: str) -> None:
    page = await anyone.read(path)
    assert re.findall(r'aria-current="page">([^<]+)<', page)[0] == label


async def test_a_visitor_is_offered_login_and_register_and_no_schedule(anyone: Browser) -> None:
    page = await anyone.read("/")
    assert "Login" in page
    assert "Register" in page
    assert "Your schedule" not in page
    assert "Sign out" not in page


async def test_an_enroll_button_of_a_visitor_leads_by_sign_in_to_the_form_with_the_course(anyone: Browser) -> None:
    form = "/enrollment/form?courseID=1111&term=Fall+2026&section=01"
    for path in ("/courses/", form):
        links = re.findall(r'href="/login\?next=([^"]+)"', await anyone.read(path))
        assert form in map(unquote, links), path
    assert 'value="1111"' in await anyone.read("/enrollment/form?courseID=1111&term=Fall+2026")


async def test_text_of_the_catalog_can_not_become_markup(anyone: Browser) -> None:
    page = await anyone.read("/enrollment/form?courseID=<script>alert(1)</script>")
    assert "<script>alert" not in page

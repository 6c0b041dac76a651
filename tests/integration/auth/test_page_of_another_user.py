"""A page left open in a browser does nothing for the next user who signs in there."""

import re

import pytest

from quart_enroll.db.client import Database
from tests.support.people import ADA, BOB, Browser, text


async def _csrf_token(browser: Browser, path: str = "/courses/") -> str:
    found = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', await browser.read(path))
    assert found
    return found[1]


@pytest.fixture
async def stale_form(ada: Browser) -> dict[str, str]:
    """The form of a button on ada's page, in a browser in which bob has since signed in."""
    form = {"courseID": "1111", "csrf_token": await _csrf_token(ada)}
    await ada.post("/logout")
    await ada.sign_in(BOB)
    return form


async def test_a_button_on_adas_page_does_nothing_after_bob_signs_in(
    ada: Browser, stale_form: dict[str, str], db: Database
) -> None:
    response = await ada.post("/enrollment", form=stale_form)
    assert (response.status_code, response.location) == (303, "/")
    message = "Someone else opened this page. You’re signed in as Bob. No changes were made."
    assert message in await ada.read("/")
    assert await db.enrollment.count_documents({}) == 0


async def test_an_api_client_gets_the_refusal_as_json(ada: Browser, stale_form: dict[str, str]) -> None:
    response = await ada.post("/enrollment", form=stale_form, headers={"Accept": "application/json"})
    assert (response.status_code, (await response.get_json())["error"]) == (409, "conflict")
    assert "signed in as Bob" in await text(response)


async def test_a_page_from_an_earlier_sign_in_of_the_same_student_still_works(ada: Browser, db: Database) -> None:
    form = {"courseID": "1111", "csrf_token": await _csrf_token(ada)}
    await ada.post("/logout")
    await ada.sign_in(ADA)
    assert (await ada.post("/enrollment", form=form)).location == "/enrollment?term=Fall+2026"
    assert await db.enrollment.count_documents({"user_id": ADA.user_id}) == 1


async def test_a_visitors_page_and_a_page_without_a_token_still_work(anyone: Browser, db: Database) -> None:
    form = {"courseID": "1111", "csrf_token": await _csrf_token(anyone, "/login")}
    await anyone.sign_in(ADA)
    assert (await anyone.post("/enrollment", form=form)).location == "/enrollment?term=Fall+2026"
    assert (await anyone.post("/enrollment/drop", form={"courseID": "1111"})).location == "/enrollment?term=Fall+2026"
    assert await db.enrollment.count_documents({}) == 0


async def test_a_button_on_adas_page_asks_to_sign_in_after_she_signs_out(ada: Browser) -> None:
    form = {"courseID": "1111", "csrf_token": await _csrf_token(ada)}
    await ada.post("/logout")
    assert "/login" in ((await ada.post("/enrollment", form=form)).location or "")


FRAGMENT_PATHS = ["/enrollment", "/courses/Fall", "/course/1111?term=Fall"]


@pytest.mark.parametrize("path", FRAGMENT_PATHS)
async def test_a_fragment_of_adas_page_is_not_fetched_as_bob(ada: Browser, path: str) -> None:
    [reader] = re.findall('<form id="act"[^>]* data-reader="(.*?)"', await ada.read(path))
    fetch = {"HX-Request": "true", "X-Reader": reader}
    assert (await ada.get(path, headers=fetch)).status_code == 200
    for sign_in in (False, True):
        await ada.post("/logout")
        if sign_in:
            await ada.sign_in(BOB)
            await ada.read(path)  # may cache a page of bob's
        response = await ada.get(path, headers=fetch)
        assert (response.status_code, response.headers["HX-Refresh"]) == (204, "true")


@pytest.mark.parametrize("path", FRAGMENT_PATHS[1:])
async def test_anybody_may_fetch_a_fragment_of_a_visitors_page(anyone: Browser, path: str) -> None:
    assert "data-reader" not in await anyone.read(path)

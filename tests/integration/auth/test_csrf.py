"""Every change requires proof that it comes from a page of this site."""

import pytest
from quart import Quart

from quart_enroll.db.client import Database
from tests.support.people import Browser, text


async def test_a_forms_csrf_token_is_sufficient(ada: Browser, app: Quart) -> None:
    page = await ada.read("/courses/")
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    form = {"courseID": "1111", "csrf_token": token}
    assert (await ada.client.post("/enrollment", form=form)).location == "/enrollment?term=Fall+2026"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    ],
)
@pytest.mark.parametrize("token", [None, "", "nonsense", "20990101000000##" + "0" * 40, "é##"])
async def test_a_request_without_a_valid_csrf_token_is_refused(
    ada: Browser, db: Database, headers: dict[str, str], token: str | None
) -> None:
    form = {"courseID": "1111"} | ({} if token is None else {"csrf_token": token})
    response = await ada.client.post("/enrollment", form=form, headers=headers)
    assert response.status_code == 400
    assert "came from another site" in await text(response)
    assert await db.enrollment.count_documents({}) == 0


async def test_a_same_origin_header_is_sufficient_in_older_browsers(ada: Browser) -> None:
    response = await ada.client.post("/enrollment", form={"courseID": "1111"}, headers={"Origin": "http://localhost"})
    assert response.location == "/enrollment?term=Fall+2026"


async def test_another_students_csrf_token_is_refused(ada: Browser, bob: Browser) -> None:
    page = await bob.read("/courses/")
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    assert (await ada.client.post("/enrollment", form={"courseID": "1111", "csrf_token": token})).status_code == 400

"""Forged requests, which try to act as another user, redirect to another site or inject response headers."""

from datetime import datetime, timedelta
from urllib.parse import quote, urljoin, urlsplit

import pytest

from quart_enroll.db.client import Database
from quart_enroll.web.csrf import PageToken
from tests.support.people import ADA, BOB, PASSWORD, Browser, registration, text

EXTERNAL_URLS = [
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/%5cevil.example",
    "/%2fevil.example",
    "/%2f%2fevil.example",
    "/\t/evil.example",
    "/%09/evil.example",
    "/\n/evil.example",
    "\r\n//evil.example",
    "/./\\evil.example",
    "/..//evil.example",
    "https:evil.example",
    "https:///evil.example",
    "https://localhost@evil.example/",
    "//localhost@evil.example/",
    "javascript:alert(1)",
    "data:text/html,evil",
]

HEADER_INJECTIONS = [
    "a\r\nSet-Cookie: evil=1",
    "a\nX-Evil: 1",
    "a\r\n\r\n<script>",
    "%0d%0aX-Evil: 1",
    "å\u2028X-Evil: 1",
]


def _redirect_host(location: str) -> str:
    """Return the host that a browser goes to: it skips tabs and line breaks, and reads a backslash as a slash."""
    url = "".join(character for character in location if character not in "\t\r\n").strip().replace("\\", "/")
    while url.startswith("///"):  # browsers read any number of slashes as two
        url = url[1:]
    return urlsplit(urljoin("http://localhost/login", url)).netloc


async def _csrf_token(browser: Browser) -> str:
    page = await browser.read("/courses/")
    return page.split('name="csrf_token" value="')[1].split('"')[0]


@pytest.mark.parametrize("external_url", EXTERNAL_URLS)
async def test_signing_in_or_registering_never_redirects_to_another_site(
    anyone: Browser, ada: Browser, external_url: str
) -> None:
    responses = [
        await ada.get(f"/login?next={quote(external_url)}"),
        await anyone.post("/register", form=registration(next=external_url)),
    ]
    await anyone.post("/logout")
    responses.append(
        await anyone.post(f"/login?next={quote(external_url)}", form={"email": BOB.email, "password": PASSWORD})
    )
    for response in responses:
        assert response.status_code == 303
        assert _redirect_host(response.location) == "localhost"


@pytest.mark.parametrize(
    "path",
    ["//evil.example/courses", "//evil.example", "/courses//evil.example/..", "//courses", "/\\evil.example/courses"],
)
async def test_a_path_with_two_slashes_does_not_redirect_to_another_site(anyone: Browser, path: str) -> None:
    response = await anyone.client.get("/", scope_base={"path": path, "raw_path": path.encode()})
    assert response.status_code in (301, 302, 308, 404)
    assert _redirect_host(response.headers.get("Location", "/")) == "localhost"


async def test_the_host_header_is_not_used_in_links(anyone: Browser) -> None:
    forged_headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    for path in ("/", "/courses", "/courses/", "/login", "/register", "/enrollment", "/nothing", "/api/"):
        response = await anyone.get(path, headers=forged_headers)
        assert "evil.example" not in str(response.headers)
        assert "evil.example" not in await text(response)


@pytest.mark.parametrize("injection", HEADER_INJECTIONS)
async def test_no_input_can_inject_response_headers(anyone: Browser, injection: str) -> None:
    responses = [
        await anyone.get(f"/courses/{quote(injection)}"),
        await anyone.get(f"/login?next={quote('/' + injection)}"),
        await anyone.get(
            "/", headers={"X-Request-ID": injection.replace("\r", "").replace("\n", "").replace("\u2028", "")}
        ),
        await anyone.post("/enrollment", form={"courseID": injection, "term": injection, "section": injection}),
        await anyone.post("/login", form={"email": ADA.email, "password": PASSWORD, "next": "/" + injection}),
    ]
    for response in responses:
        assert response.status_code in (200, 303, 404)
        names = {name.lower() for name, _ in response.headers.items()}
        assert "x-evil" not in names
        assert not any("\r" in value or "\n" in value for _, value in response.headers.items())
        assert not any(cookie.startswith("evil=") for cookie in response.headers.getlist("Set-Cookie"))


async def test_a_forged_user_id_in_a_form_changes_nothing_for_that_user(bob: Browser, db: Database) -> None:
    form = {"courseID": "1111", "user_id": str(ADA.user_id), "student": str(ADA.user_id), "auth_id": "1"}
    assert (await bob.post("/enrollment", form=form)).status_code == 303
    assert [row["user_id"] async for row in db.enrollment.find()] == [BOB.user_id]
    assert (await bob.post("/enrollment/drop", form=form)).status_code == 303
    assert await db.enrollment.count_documents({"user_id": ADA.user_id}) == 0


async def test_a_csrf_token_expires_after_twelve_hours(
    ada: Browser, monkeypatch: pytest.MonkeyPatch, db: Database
) -> None:
    form = {"courseID": "1111", "csrf_token": await _csrf_token(ada)}
    monkeypatch.setattr(PageToken, "now", lambda _: datetime.now() + timedelta(hours=12, seconds=1))  # noqa: DTZ005  # as WTForms
    response = await ada.client.post("/enrollment", form=form)
    assert response.status_code == 400
    assert "This page was open for too long" in await text(response)
    assert await db.enrollment.count_documents({}) == 0


@pytest.mark.parametrize("name", ["session", "QUART_AUTH"])
async def test_a_cookie_with_one_changed_character_is_rejected(ada: Browser, db: Database, name: str) -> None:
    form = {"courseID": "1111", "csrf_token": await _csrf_token(ada)}
    [cookie] = [one for one in ada.client.cookie_jar or () if one.name == name]
    value = cookie.value or ""
    cookie.value = value[:5] + ("a" if value[5] != "a" else "b") + value[6:]
    response = await ada.client.post("/enrollment", form=form)
    assert response.status_code == (400 if name == "session" else 303)
    assert response.headers.get("Location", "/login").startswith("/login")
    assert await db.enrollment.count_documents({}) == 0


@pytest.mark.parametrize("path", ["/login", "/register", "/logout"])
async def test_another_sites_page_cannot_sign_anybody_in_or_out(anyone: Browser, ada: Browser, path: str) -> None:
    form = registration(remember_me="y") | {"email": ADA.email}
    for visitor in (anyone, ada):
        response = await visitor.client.post(path, form=form, headers={"Origin": "https://evil.example"})
        assert response.status_code == 400
        assert "came from another site" in await text(response)
    assert (await ada.get("/enrollment")).status_code == 200


async def test_an_origin_of_another_scheme_is_another_site(ada: Browser) -> None:
    https = {"Origin": "https://localhost"}
    assert (await ada.client.post("/enrollment", form={"courseID": "1111"}, headers=https)).status_code == 400

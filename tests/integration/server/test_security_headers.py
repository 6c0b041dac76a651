"""Security headers, cache headers and cookies."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from quart import Quart
from quart.wrappers import Response

from quart_enroll.app import create_app
from quart_enroll.db.client import Database
from tests.integration.auth.test_permissions import STATUSES_BY_ROUTE, path_of
from tests.support.people import ADA, PASSWORD, Browser, Clock, config

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": (
        "camera=(), display-capture=(), geolocation=(), gyroscope=(), microphone=(), midi=(), payment=(), usb=()"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

CACHE_HEADERS = ("Cache-Control", "ETag", "Vary")
TEST_CLIENT_HEADERS = {"content-type", "content-length"}
"""Headers that the test client adds to a response without them."""

OTHER_REQUESTS = [
    ("GET", "/courses"),
    ("GET", "/nothing"),
    ("POST", "/"),
    ("OPTIONS", "/"),
    ("HEAD", "/"),
    ("POST", "/logout"),
]
"""A redirect, an unknown path, methods that aren't allowed, and a change that may come from another site."""

CACHE_CONTROL_BY_PATH = {
    "/static/site.css": "no-cache",
    "/healthz": "no-cache",
    "/readyz": "no-cache",
    "/metrics": "no-cache",
    **dict.fromkeys(
        [f"/api/v1/{name}" for name in ("terms", "courses", "courses/1111", "sections", "openapi.json")],
        "public, no-cache",
    ),
    **{
        path_of(rule): "no-store"
        for rule in STATUSES_BY_ROUTE
        if rule.startswith(("/calendar/", "/shared/", "/email/unsubscribe/"))
    },
}
"""Responses that are the same for everyone; caches must not store the others, nor those of secret URLs."""


SECRET_RULES = [
    rule for rule in STATUSES_BY_ROUTE if rule.startswith(("/password/reset", "/email/", "/calendar/", "/shared/"))
]
"""The rules whose URLs contain a secret, or lead to a page that had one."""

HEADERS_BY_PATH = {path_of(rule): {"Referrer-Policy": "no-referrer"} for rule in SECRET_RULES}


def _security_headers(response: Response) -> dict[str, str]:
    return {name: response.headers[name] for name in SECURITY_HEADERS}


@pytest.fixture
async def production(db: Database, mongod: str, clock: Clock) -> AsyncIterator[Quart]:
    """The site with the settings of production."""
    app = create_app(config(mongo_uri=mongod, app_env="production"), clock=clock)
    async with app.test_app():
        yield app


async def test_every_response_has_the_security_headers(anyone: Browser, ada: Browser) -> None:
    for method, path in [("GET", path_of(rule)) for rule in STATUSES_BY_ROUTE if rule != "/logout"] + OTHER_REQUESTS:
        for visitor in (anyone, ada):
            response = await visitor.client.open(path, method=method)
            assert _security_headers(response) == SECURITY_HEADERS | HEADERS_BY_PATH.get(path, {}), (method, path)
            assert "unsafe-inline" not in str(response.headers)
            assert len(response.headers["X-Request-ID"]) == 16
            assert "Strict-Transport-Security" not in response.headers


@pytest.mark.parametrize("path", ["/courses/", "/api/", "/api/v1/courses"])
async def test_a_304_does_not_repeat_the_security_headers(anyone: Browser, path: str) -> None:
    first = await anyone.get(path)
    for _ in range(2):
        repeated = await anyone.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert repeated.status_code == 304
        names = {name.lower() for name, _ in repeated.headers}
        assert names - TEST_CLIENT_HEADERS == {"cache-control", "etag", "vary", "x-request-id"}
        assert [repeated.headers[name] for name in CACHE_HEADERS] == [first.headers[name] for name in CACHE_HEADERS]


async def test_no_shared_cache_stores_a_students_pages(ada: Browser) -> None:
    for path in (path_of(rule) for rule in STATUSES_BY_ROUTE if rule not in ("/logout", "/login", "/register")):
        response = await ada.get(path)
        assert response.headers["Cache-Control"] == CACHE_CONTROL_BY_PATH.get(path, "no-store"), path
        assert ("Cookie" in response.headers.get("Vary", "")) == (path not in CACHE_CONTROL_BY_PATH), path
    assert (await ada.get("/nothing")).headers["Cache-Control"] == "no-store"


async def test_no_shared_cache_stores_a_token_or_message(anyone: Browser) -> None:
    assert (await anyone.get("/courses/")).headers["Cache-Control"] == "no-cache"
    assert (await anyone.get("/login")).headers["Cache-Control"] == "no-store"
    await anyone.get("/enrollment")  # the next page shows "Please sign in"
    for _ in range(2):
        assert (await anyone.get("/courses/")).headers["Cache-Control"] == "no-store"
        assert (await anyone.post("/login", form={"email": ADA.email, "password": PASSWORD})).status_code == 303


async def test_an_error_response_has_the_security_headers_too(app: Quart, anyone: Browser) -> None:
    async def fail(_: Response) -> Response:
        raise ZeroDivisionError

    app.after_request(fail)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    response = await anyone.get("/")
    assert response.status_code == 500
    assert _security_headers(response) == SECURITY_HEADERS


async def test_production_cookies_are_host_only_and_hsts_is_sent(production: Quart) -> None:
    browser = Browser(production.test_client())
    response = await browser.sign_in(ADA, scheme="https")
    assert response.status_code == 303
    cookies = {cookie.split("=")[0]: cookie for cookie in response.headers.getlist("Set-Cookie")}
    assert {"__Host-session", "__Host-QUART_AUTH"} <= set(cookies)
    for name, cookie in cookies.items():
        assert name.startswith("__Host-")
        assert all(f"; {attribute}" in cookie for attribute in ("Secure", "HttpOnly", "Path=/", "SameSite=Lax"))
        assert "Domain=" not in cookie
    for path in (*CACHE_CONTROL_BY_PATH, "/", "/nothing"):
        response = await browser.get(path)
        assert response.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


async def test_production_deletes_cookies_in_a_way_that_browsers_accept(production: Quart) -> None:
    browser = Browser(production.test_client())
    await browser.sign_in(ADA, scheme="https")
    [deletion] = [
        cookie
        for cookie in (await browser.post("/logout", scheme="https")).headers.getlist("Set-Cookie")
        if cookie.startswith("__Host-QUART_AUTH=;")
    ]
    assert "; Secure" in deletion
    assert "; Path=/" in deletion


async def test_production_refuses_plain_http_with_an_explanation(production: Quart) -> None:
    browser = Browser(production.test_client())
    plain = {"X-Forwarded-Proto": "http", "X-Forwarded-For": "192.0.2.1"}
    response = await browser.get("/courses/", headers=plain)
    assert response.status_code == 400
    assert "This site only works over HTTPS." in await response.get_data(as_text=True)
    assert (await browser.post("/login", form={}, headers=plain)).status_code == 400


async def test_production_answers_plain_http_only_for_health_checks(production: Quart) -> None:
    client, plain = production.test_client(), {"X-Forwarded-Proto": "http"}
    status_codes = {rule: (await client.get(path_of(rule), headers=plain)).status_code for rule in STATUSES_BY_ROUTE}
    assert {rule for rule, status in status_codes.items() if status == 200} == {"/healthz", "/readyz"}
    assert set(status_codes.values()) == {200, 400}


async def test_plain_http_is_redirected_to_the_sites_own_url_only(production: Quart) -> None:
    production.config["PUBLIC_URL"] = "https://enroll.school.example"
    browser = Browser(production.test_client())
    plain = {"X-Forwarded-Proto": "http", "Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    response = await browser.get("/enrollment/form?courseID=1111", headers=plain)
    assert response.status_code == 308
    assert response.location == "https://enroll.school.example/enrollment/form?courseID=1111"
    assert (await browser.post("/login", form={}, headers=plain)).status_code == 400


async def test_template_overrides_may_load_files_from_other_hosts(mongod: str, db: Database) -> None:
    app = create_app(config(mongo_uri=mongod, template_overrides=Path(__file__).parents[2] / "support/flask_templates"))
    async with app.test_app():
        policy = (await app.test_client().get("/")).headers["Content-Security-Policy"]
    assert policy == "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

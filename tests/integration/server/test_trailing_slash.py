"""A URL with a superfluous trailing slash redirects to its page, and never to another site."""

import pytest

from tests.support.people import Browser


@pytest.mark.parametrize(
    ("path", "expected_path"),
    [
        ("/login/", "/login"),
        ("/login/?next=/enrollment&x=a%20b", "/login?next=/enrollment&x=a%20b"),
        ("/login//", "/login"),
        ("/register/", "/register"),
        ("/home/", "/home"),
        ("/enrollment/", "/enrollment"),
        ("/enrollment/history/", "/enrollment/history"),
        ("/account/", "/account"),
        ("/user/?q=ada", "/user?q=ada"),
        ("/help/", "/help"),
        ("/course/1111/?term=Fall", "/course/1111?term=Fall"),
        ("/courses/Fall%202026/", "/courses/Fall%202026"),
        ("/courses/%C3%A9t%C3%A9/", "/courses/%C3%A9t%C3%A9"),
        ("/api/v1/terms/", "/api/v1/terms"),
    ],
)
async def test_a_page_is_found_with_a_trailing_slash(anyone: Browser, path: str, expected_path: str) -> None:
    for _ in range(2):  # each redirect removes one slash
        response = await anyone.get(path)
        assert response.status_code == 308
        path = response.location
        if path == expected_path:
            break
    assert path == expected_path


async def test_the_catalog_keeps_its_trailing_slash(anyone: Browser) -> None:
    assert (await anyone.get("/courses/")).status_code == 200
    assert (await anyone.get("/api/")).status_code == 200


@pytest.mark.parametrize("path", ["/nowhere/", "/nowhere", "/logins/", "/login/x/", "/enrollment/drop/", "/course/"])
async def test_an_unknown_path_with_a_trailing_slash_stays_unknown(anyone: Browser, path: str) -> None:
    assert (await anyone.get(path)).status_code in (404, 405)


async def test_a_post_with_a_trailing_slash_is_not_redirected(anyone: Browser) -> None:
    assert (await anyone.post("/login/", form={"email": "a@b.c"})).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        *("//evil.example/", "///evil.example/", "//evil.example/login/", "//login/", "/\\evil.example/", "\\\\evil/"),
        *("/\\login/", "/https://evil.example/", "/.//evil.example/", "/login/..//evil.example/", "/%0d%0aX-Evil: 1/"),
        *("/courses/\\evil.example/", "/courses//evil.example/", "/course/\r\nX-Evil: 1/", "/", "//", "///"),
    ],
)
async def test_extra_slashes_never_redirect_to_another_site(anyone: Browser, path: str) -> None:
    response = await anyone.client.get("/", scope_base={"path": path, "raw_path": path.encode()})
    assert response.status_code in (200, 308, 404)
    location = response.headers.get("Location", "/")
    assert location.startswith("/")
    assert location[1:2] not in ("/", "\\")
    assert "X-Evil" not in response.headers

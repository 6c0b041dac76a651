"""Where a visitor may be redirected after signing in."""

import pytest

from quart_enroll.web.auth import safe_next


@pytest.mark.parametrize("path", ["/", "/courses/", "/enrollment/form?courseID=1111&term=Fall+2026", "/a//b"])
def test_a_path_of_this_site_is_a_safe_redirect_target(path: str) -> None:
    assert safe_next(path) == path


@pytest.mark.parametrize(
    "evil",
    [
        None,
        "",
        "courses",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        " //evil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        "/" + "x" * 500,
    ],
)
def test_any_other_redirect_target_is_unsafe(evil: str | None) -> None:
    assert safe_next(evil) is None

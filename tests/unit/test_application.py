"""URLs within the site are built once, whichever function asks for them."""

import pytest
from quart import Quart, url_for

from quart_enroll.web.application import SiteApp


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The endpoints whose URLs were built."""
    endpoints: list[str] = []
    build = Quart.url_for

    def record(self: Quart, endpoint: str, **values: object) -> str:
        endpoints.append(endpoint)
        return build(self, endpoint, **values)

    monkeypatch.setattr(Quart, "url_for", record)
    return endpoints


async def test_a_url_is_built_once(built: list[str]) -> None:
    app = SiteApp("school", template_folder=None)
    app.add_url_rule("/course/<courseID>", "course", lambda courseID: courseID)
    async with app.test_request_context("/"):
        urls = [url_for("course", courseID="1111"), app.url_for("course", courseID="1111")]
        assert urls == ["/course/1111"] * 2
        assert built == ["course"]
        assert url_for("course", courseID="1111", _external=True).endswith("/course/1111")
        assert url_for("course", courseID="2222", _anchor="top") == "/course/2222#top"
    assert built == ["course"] * 3

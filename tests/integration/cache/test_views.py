"""While staff see the site as a student, no page comes from the fast path, and none leaves its banner in a cache."""

import gzip

from quart import Quart

from tests.integration.cache.test_page_views import (  # noqa: F401  # fixtures
    PATHS,
    ada,
    app,
    clock,
    is_fast,
    pytestmark,
    wait_until_fast,
)
from tests.support.people import ADA, RITA, Browser

BANNER = "view-banner"


async def test_a_view_leaves_the_fast_path_and_the_caches_alone(
    app: Quart,  # noqa: F811
    ada: Browser,  # noqa: F811
    framework_requests: list[str],
) -> None:
    rita = Browser(app.test_client())
    await rita.sign_in(RITA)
    for path in PATHS:
        await wait_until_fast(rita, framework_requests, path)
    await rita.post("/staff/view-as", form={"user_id": str(ADA.user_id)})
    for path in (*PATHS, "/staff"):
        assert not await is_fast(rita, framework_requests, path)
        assert BANNER in await rita.read(path)
        assert BANNER not in await ada.read(path)
    await rita.post("/staff/view-as/end")
    for path in PATHS:
        await wait_until_fast(rita, framework_requests, path)
        assert BANNER not in await rita.read(path)


async def test_a_compressed_page_has_the_banner(app: Quart, ada: Browser) -> None:  # noqa: F811
    rita = Browser(app.test_client())
    await rita.sign_in(RITA)
    await rita.post("/staff/view-as", form={"user_id": str(ADA.user_id)})
    for path in ("/enrollment", "/courses/?q=pyt"):
        response = await rita.get(path, headers={"Accept-Encoding": "gzip"})
        assert response.headers["Content-Encoding"] == "gzip"
        assert BANNER in gzip.decompress(await response.get_data(as_text=False)).decode()

"""The home page."""

from quart_enroll.fastpath.response_cache import cache_private
from quart_enroll.state import now
from quart_enroll.web.templating import render


async def index() -> bytes:
    cache_private(now())
    return render("index.html", index=True)

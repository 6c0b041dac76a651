"""The home page."""

from quart_enroll.fastpath.private_cache import same_again
from quart_enroll.state import now
from quart_enroll.web.templating import render


async def index() -> bytes:
    same_again(now())
    return render("index.html", index=True)

"""The home page."""

from quart_enroll.web import auth
from quart_enroll.web.templating import render_frame


async def index() -> bytes:
    return render_frame("index.html", auth.user() is not None, {}, lambda: {"index": True})

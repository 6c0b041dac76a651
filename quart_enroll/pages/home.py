"""The home page."""

from quart_enroll.web import auth
from quart_enroll.web.templating import is_overridden, render, render_frame


async def index() -> bytes:
    if is_overridden("index.html") or is_overridden("layout.html"):
        return render("index.html", index=True)
    return render_frame("index.html", auth.user() is not None, {}, index=True)

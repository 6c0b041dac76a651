"""The home page."""

from quart_enroll.web.templating import render


async def index() -> bytes:
    return render("index.html", index=True)

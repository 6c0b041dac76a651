"""The home page."""

from quart_enroll.rendering import render


async def index() -> bytes:
    return render("index.html", facts="nothing", index=True)

"""The home page."""

from quart_enroll.context import now
from quart_enroll.reloads import same_again
from quart_enroll.rendering import render


async def index() -> bytes:
    same_again(now())
    return render("index.html", index=True)

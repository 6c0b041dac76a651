"""The site, with a page that makes a worker hang, as a fault in the code could."""

import sys
import time

from asgi import app

__all__ = ["app"]


@app.get("/hang")
async def hang() -> str:
    sys.stderr.write("hanging\n")
    sys.stderr.flush()
    time.sleep(1000)  # noqa: ASYNC251  # blocks the event loop
    return ""

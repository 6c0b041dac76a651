"""The smallest Quart application, on the same server with the same settings: the fastest that Quart can be."""

from quart import Quart

app = Quart(__name__)


@app.get("/")
async def index() -> str:
    return "Hello"

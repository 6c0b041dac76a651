"""A minimal Quart response, on the same server with the same settings: no page of Quart can be faster."""

from quart import Quart

app = Quart(__name__)


@app.get("/")
async def index() -> str:
    return "Hello"

"""A bare answer of the framework, on the same server with the same settings: nothing of Quart is quicker."""

from quart import Quart

app = Quart(__name__)


@app.get("/")
async def index() -> str:
    return "Hello"

"""The smallest Quart application, on the same server with the same settings: the fastest that Quart can be."""

from quart import Quart

from quart_enroll.server.supervisor import this_worker

app = Quart(__name__)
if (worker := this_worker()) is not None:
    app.while_serving(worker.report_ready)  # a worker that reports nothing is replaced


@app.get("/")
async def index() -> str:
    return "Hello"

"""How Quart talks to the server: a request without a body is answered in the server's own task, and in one piece.

Quart makes two tasks for each request, of which one waits for more of the body, and for the client to hang up. A page
that is only read is ready before anybody could. Whatever has a body, or is told bit by bit, goes Quart's way.
"""

import asyncio
from contextlib import suppress
from typing import Any

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable
from quart import Response
from quart.asgi import ASGIHTTPConnection
from quart.typing import ResponseTypes
from quart.utils import cancel_tasks, encode_headers, raise_task_exceptions
from quart.wrappers import Request
from quart.wrappers.response import DataBody

from quart_enroll.fastpath.hypercorn_writer import Whole, send_whole
from quart_enroll.fastpath.streaming import Exchange


class Connection(ASGIHTTPConnection):
    """One request and its answer."""

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        exchange = Exchange(self.scope, receive, send)
        if self.scope["method"] not in ("GET", "HEAD") or _may_have_a_body(self.scope) or self.app.debug:
            await super().__call__(exchange.receive, exchange.send)
        else:
            await self._answer(exchange, send)
        await exchange.go_on()

    async def _answer(self, exchange: Exchange, send: ASGISendCallable) -> None:
        request = self._create_request_from_scope(send)
        request.body.set_complete()
        response = await self.app.handle_request(request)
        with suppress(TimeoutError):  # whoever reads so slowly gets no more
            if isinstance(response, Response) and isinstance(body := response.response, DataBody):
                whole = Whole(response.status_code, encode_headers(response.headers), body.data[body.begin : body.end])
                async with asyncio.timeout(self.app.config["RESPONSE_TIMEOUT"]):
                    await send_whole(whole, send)
            else:
                await self._tell(request, response, exchange.receive, exchange.send)

    async def _tell(
        self, request: Request, response: ResponseTypes, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Send the answer bit by bit until it ends, or the client has gone."""
        limit = self.app.config["RESPONSE_TIMEOUT"]
        if isinstance(response, Response) and response.timeout is not Ellipsis:
            limit = response.timeout
        telling = asyncio.ensure_future(asyncio.wait_for(self._send_response(send, response), limit))
        hearing = asyncio.ensure_future(self.handle_messages(request, receive))
        done, pending = await asyncio.wait([telling, hearing], return_when=asyncio.FIRST_COMPLETED)
        await cancel_tasks(pending)
        raise_task_exceptions(done)


def _may_have_a_body(scope: Any) -> bool:
    """Tell whether something may follow the head; in HTTP/2 nothing there says so."""
    return scope["http_version"] not in ("1.0", "1.1") or any(
        name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"]
    )

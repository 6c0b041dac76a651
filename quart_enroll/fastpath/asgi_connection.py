"""Handle requests without a body in the server's own task, and send each response at once.

For each request, Quart starts two tasks, one of which waits for more of the body and for the client to hang up. A page
that is only read is ready before either could happen. Requests with a body, and streamed responses, are left to Quart.
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

from quart_enroll.fastpath.direct_stream import send_directly
from quart_enroll.fastpath.hypercorn_writer import SerializedResponse, send_response
from quart_enroll.fastpath.streaming import StreamingChannel


class FastConnection(ASGIHTTPConnection):
    """A request and its response."""

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        channel = StreamingChannel(self.scope, receive, send)
        if self.scope["method"] not in ("GET", "HEAD") or _may_have_body(self.scope) or self.app.debug:
            await super().__call__(channel.receive, channel.send)
        else:
            await self._respond(channel, send)
        await channel.send_stream()

    async def _respond(self, channel: StreamingChannel, send: ASGISendCallable) -> None:
        request = self._create_request_from_scope(send)
        request.body.set_complete()
        response = await self.app.handle_request(request)
        with suppress(TimeoutError):  # the client reads too slowly
            if isinstance(response, Response) and isinstance(body := response.response, DataBody):
                complete = SerializedResponse(
                    response.status_code, encode_headers(response.headers), body.data[body.begin : body.end]
                )
                async with asyncio.timeout(self.app.config["RESPONSE_TIMEOUT"]):
                    await send_response(complete, send)
            elif not isinstance(response, Response) or not send_directly(self.scope, response, send):
                await self._send_in_parts(request, response, channel.receive, channel.send)

    async def _send_in_parts(
        self, request: Request, response: ResponseTypes, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Send the response part by part until it ends or the client disconnects."""
        limit = self.app.config["RESPONSE_TIMEOUT"]
        if isinstance(response, Response) and response.timeout is not Ellipsis:
            limit = response.timeout
        sending = asyncio.ensure_future(asyncio.wait_for(self._send_response(send, response), limit))
        receiving = asyncio.ensure_future(self.handle_messages(request, receive))
        done, pending = await asyncio.wait([sending, receiving], return_when=asyncio.FIRST_COMPLETED)
        await cancel_tasks(pending)
        raise_task_exceptions(done)


def _may_have_body(scope: Any) -> bool:
    """Tell whether a body may follow the head; over HTTP/2 no header says so."""
    return scope["http_version"] not in ("1.0", "1.1") or any(
        name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"]
    )

"""Handle requests that have arrived completely in the server's own task, and send each response at once.

For each request, Quart starts two tasks, one of which waits for more of the body and for the client to hang up. A page
that is only read is ready before either could happen, and a change of seats runs to its end in any case. Other requests
with a body, those whose body is still under way, and streamed responses are left to Quart.
"""

import asyncio
from contextlib import suppress
from typing import Any, cast

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope
from quart import Quart, Response
from quart.asgi import ASGIHTTPConnection
from quart.typing import ResponseTypes
from quart.utils import cancel_tasks, encode_headers, raise_task_exceptions
from quart.wrappers.response import DataBody

from quart_enroll.fastpath.button_posts import ButtonPosts
from quart_enroll.fastpath.direct_stream import send_directly
from quart_enroll.fastpath.hypercorn_writer import SerializedResponse, send_response
from quart_enroll.fastpath.page_views import PageViews
from quart_enroll.fastpath.streaming import StreamingChannel
from quart_enroll.web.application import SiteApp

HTTP_1_VERSIONS = ("1.0", "1.1")


class FastConnection(ASGIHTTPConnection):
    """A request and its response."""

    def __init__(
        self, app: Quart, scope: HTTPScope, page_views: PageViews | None, button_posts: ButtonPosts | None
    ) -> None:
        super().__init__(app, scope)
        self._page_views, self._button_posts = page_views, button_posts

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        channel = StreamingChannel(self.scope, receive, send)
        if (body := await self._complete_body(channel)) is None:
            await super().__call__(channel.receive, channel.send)
        else:
            await self._respond(body, channel, send)
        await channel.send_stream()

    async def _complete_body(self, channel: StreamingChannel) -> bytes | None:
        """Return the body of a request that needs no task of its own; None if Quart must wait for more from the client.

        A client may send its body slowly, or never.
        """
        if self.app.debug or self.scope["http_version"] not in HTTP_1_VERSIONS:  # over HTTP/2, a GET may have a body
            return None
        if self.scope["method"] in ("GET", "HEAD"):
            return None if _has_body(self.scope) else b""
        survives = self.scope["method"] == "POST" and self.scope["path"] in cast(SiteApp, self.app).surviving_paths
        return await channel.receive_arrived_body() if survives else None

    async def _respond(self, body: bytes, channel: StreamingChannel, send: ASGISendCallable) -> None:
        response = await self._handle_lightly(body) or await self._handle(body, send)
        with suppress(TimeoutError):  # the client reads too slowly
            if (content := _content(response)) is not None:
                complete = SerializedResponse(response.status_code, encode_headers(response.headers), content)
                async with asyncio.timeout(self.app.config["RESPONSE_TIMEOUT"]):
                    await send_response(complete, send)
            elif not isinstance(response, Response) or not send_directly(self.scope, response, send):
                await self._send_in_parts(response, channel.receive, channel.send)

    async def _handle_lightly(self, body: bytes) -> ResponseTypes | None:
        """Handle a button or the page after one in light contexts; return None for what only the framework handles."""
        if self._page_views is None or self._button_posts is None:
            return None
        if self.scope["method"] == "POST":
            return await self._button_posts.handle(self.scope, body)
        return await self._page_views.show_messages(self.scope)

    async def _handle(self, body: bytes, send: ASGISendCallable) -> ResponseTypes:
        request = self._create_request_from_scope(send)
        request.body.set_result(body)
        return await self.app.handle_request(request)

    async def _send_in_parts(
        self, response: ResponseTypes, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Send the response part by part until it ends or the client disconnects."""
        limit = self.app.config["RESPONSE_TIMEOUT"]
        if isinstance(response, Response) and response.timeout is not Ellipsis:
            limit = response.timeout
        sending = asyncio.ensure_future(asyncio.wait_for(self._send_response(send, response), limit))
        request = self._create_request_from_scope(send)
        receiving = asyncio.ensure_future(self.handle_messages(request, receive))
        done, pending = await asyncio.wait([sending, receiving], return_when=asyncio.FIRST_COMPLETED)
        await cancel_tasks(pending)
        raise_task_exceptions(done)


def _has_body(scope: Any) -> bool:
    """Tell whether a body may follow the head."""
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])


def _content(response: ResponseTypes) -> bytes | None:
    """Return the body of a response; None if it is streamed."""
    if isinstance(response, Response):
        body = response.response
        return body.data[body.begin : body.end] if isinstance(body, DataBody) else None
    return response.get_data() if response.is_sequence else None  # a redirect is one of Werkzeug's responses

"""The Quart application, with what this site needs differently in every request."""

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

from quart import Quart, g, has_request_context, request
from quart.ctx import RequestContext
from quart.typing import ResponseReturnValue
from quart.wrappers import BaseRequestWebsocket
from werkzeug.exceptions import BadHost
from werkzeug.routing import MapAdapter

from quart_enroll.bounded_cache import ByteCache, size_of_entry
from quart_enroll.web import access_log
from quart_enroll.web.csrf import SAFE_METHODS
from quart_enroll.web.request import SiteRequest
from quart_enroll.web.route import Route, SiteRule

DRIVER_QUEUE_SECONDS = 0.5
"""How long a page may wait for a thread of the driver, in addition to the time that the database has to answer."""

MAX_CHANGE_SECONDS = 25
"""How long a change may take before the site answers, whatever its outcome: Heroku's router gives up after 30."""

ERROR_KEY = "quart_enroll.error"
"""Where the ASGI scope holds an error that was raised while the page was made without the framework."""

UNCACHED_URL_VALUES = {"_external", "_scheme", "_method"}
"""Values that make a URL depend on the request that it is built in."""


class SiteApp(Quart):
    """The application, as the web layer knows it."""

    request_class = SiteRequest
    url_rule_class = SiteRule

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.surviving_paths: set[str] = set()
        """The paths of the routes with `survives_disconnect`."""

        self.upload_paths: set[str] = set()
        """The paths of the routes with `has_file`."""

        self.staff_menu: list[Route] = []
        """The routes with a `menu_label`."""

        self._urls: ByteCache[Any, str] = ByteCache("URLs", size_of_entry)

    @property
    def read_seconds(self) -> float:
        """How long a view that only reads may wait for the database."""
        return float(self.config["DATABASE_TIMEOUT"] + DRIVER_QUEUE_SECONDS)

    def url_for(self, endpoint: str, **values: Any) -> str:
        """Return a URL; those within the site are the same in every request, and built once."""
        # quart.url_for passes all its options, most of them as None.
        values = {name: value for name, value in values.items() if value is not None or not name.startswith("_")}
        if values.keys() & UNCACHED_URL_VALUES or not has_request_context():
            return super().url_for(endpoint, **values)
        key = (endpoint, request.root_path, *values.items())
        try:
            if (url := self._urls.get(key)) is not None:
                return url
        except TypeError:  # a list of values can't be a key
            return super().url_for(endpoint, **values)
        url = self._urls[key] = super().url_for(endpoint, **values)
        return url

    def create_url_adapter(self, request: BaseRequestWebsocket | None) -> MapAdapter | None:
        """Return the adapter that finds the view of a request, even if its Host header is not a valid host name."""
        try:
            return super().create_url_adapter(request)
        except BadHost:
            request = cast(BaseRequestWebsocket, request)
            query = request.query_string.decode("latin-1")
            return self.url_map.bind(
                "localhost", request.root_path, None, request.scheme, request.method, request.path, query
            )

    @lru_cache(1000)  # noqa: B019  # there is one application, with few functions
    def ensure_async(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the coroutine function for `func`; finding out what kind of function it is takes time."""
        return super().ensure_async(func)

    async def dispatch_request(self, request_context: RequestContext | None = None) -> ResponseReturnValue:
        """Run the view; one that only reads waits for the database no longer than a single operation may take.

        The driver's own limit starts only when one of its threads takes the operation, and there may be a queue. A
        change consists of many operations; it is cancelled as if the client had hung up.
        """
        if (error := cast(dict[str, Any], request.scope).pop(ERROR_KEY, None)) is not None:
            raise error
        is_read = request.method in SAFE_METHODS
        async with asyncio.timeout(self.read_seconds if is_read else MAX_CHANGE_SECONDS):
            return await super().dispatch_request(request_context)

    def log_exception(self, exception_info: Any) -> None:
        """Log an unexpected error in one line that identifies the request, followed by its traceback."""
        what = "start"
        if has_request_context():
            what = f"{access_log.method()} {access_log.path()} request_id={g.get('request_id')}"
        self.logger.error("failed: %s", what, exc_info=exception_info)

"""The one place where the parts meet."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from quart import Quart, g, has_request_context, request
from quart.ctx import RequestContext
from quart.typing import ResponseReturnValue, ResponseTypes
from quart.wrappers import BaseRequestWebsocket
from quart_auth import Unauthorized
from werkzeug.exceptions import BadHost, HTTPException
from werkzeug.routing import MapAdapter

from quart_enroll import cli, routes
from quart_enroll.api.v1 import cors, document
from quart_enroll.bounded_cache import ByteCache, size_of_entry
from quart_enroll.db import client
from quart_enroll.domain.errors import Busy, PleaseWait, Refused
from quart_enroll.fastpath import hypercorn_writer, private_cache, public_cache
from quart_enroll.fastpath.asgi_connection import Connection
from quart_enroll.forms.accounts import LoginForm, RegisterForm
from quart_enroll.i18n import language
from quart_enroll.observability.sampler import Probes, sample_forever
from quart_enroll.services.accounts.email_links import EmailLinks
from quart_enroll.services.accounts.hash_slots import SLOTS_FOLDER_VARIABLE, HashSlots
from quart_enroll.services.accounts.hashing import Hasher
from quart_enroll.services.accounts.sessions import REMEMBERED_LIFETIME, SignInLifetimes
from quart_enroll.services.catalog.cache import CatalogCache, open_catalog_cache
from quart_enroll.services.enrollment import section_lock
from quart_enroll.services.live.updates import UpdateBroker, open_update_broker
from quart_enroll.services.live.user_cache import open_user_cache
from quart_enroll.services.mail import PrintedSender, Sender, SmtpSender
from quart_enroll.services.maintenance.schema_check import SchemaCheck
from quart_enroll.services.notifications import sending
from quart_enroll.state import EXTENSION, AppState
from quart_enroll.system.background import run_in_background
from quart_enroll.web import access_log, auth, error_pages, locale, proxies, security_headers, static_files, templating
from quart_enroll.web.before_request import arrive
from quart_enroll.web.cookies import Sessions
from quart_enroll.web.csrf import SAFE, csrf_token
from quart_enroll.web.overrides.check import Site
from quart_enroll.web.request import SiteRequest

if TYPE_CHECKING:
    from config import Config

LARGEST_BODY = 16 * 1024
"""Bytes that a request may send; no form of the site needs more."""

IN_THE_QUEUE = 0.5
"""Seconds that a page may wait for a thread of the driver, past the time that the database has to answer."""

NOT_THE_SAME = {"_external", "_scheme", "_method"}
"""What makes an address depend on the request that asks for it."""

LONGEST_CHANGE = 25
"""Seconds after which a change is answered, whatever comes of it: Heroku's router gives up after 30."""

OpenDatabase = Callable[..., AbstractAsyncContextManager[client.Database]]


class Enroll(Quart):
    """The application; a fault of ours is logged in one line that leads to the request, and its stack after it."""

    request_class = SiteRequest
    asgi_http_class = Connection

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._addresses: ByteCache[Any, str] = ByteCache("addresses", size_of_entry)
        self.answers = public_cache.Prepared()
        self.reloads = private_cache.Reloads()
        self._knows_the_stop = False

    async def asgi_app(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer requests; there is nothing to talk about over websockets."""
        match scope["type"]:
            case "http":
                self._wait_for_stop(send)
                began = monotonic()
                scope = self._readable(scope)
                if answer := self._prepared(scope):
                    status = await public_cache.send(answer, scope, send)
                    access_log.count(self, "prepared", scope["method"], status, monotonic() - began)
                elif page := self._reload(scope):
                    status = await private_cache.send(page, scope, send)
                    access_log.count(self, page.endpoint, scope["method"], status, monotonic() - began)
                else:
                    await super().asgi_app(proxies.believe(scope, self.config["PROXIES"]), receive, send)
            case "websocket":
                await send({"type": "websocket.close"})
            case _:
                await super().asgi_app(scope, receive, send)

    def _readable(self, scope: Any) -> Any:
        """Return the scope with a valid path of this site, and without parameters that its view does not read.

        A client may put the host before the path, or send "*", or bytes that are not text. A school's own templates may
        use any parameter.
        """
        path, query = scope["path"], scope["query_string"]
        if not path.startswith("/"):
            path = "/" + (path.partition("://")[2].partition("/")[2] if "://" in path else path)
        if not path.isascii():
            path = path.encode("utf-8", "replace").decode()
        if query and scope["method"] in ("GET", "HEAD") and not self.config["TEMPLATE_OVERRIDES"]:
            query = routes.filter_query(path, query)
        if path is scope["path"] and query is scope["query_string"]:
            return scope
        return {**scope, "path": path, "query_string": query}

    def _wait_for_stop(self, send: Any) -> None:
        """Let open pages go as soon as the server is told to stop; the first request leads to who knows."""
        if not self._knows_the_stop and (stop := hypercorn_writer.stop_of(send)) is not None:
            self._knows_the_stop = True
            self.add_background_task(self._end_live, stop)

    async def _end_live(self, stop: hypercorn_writer.Stop) -> None:
        await stop()
        self.extensions[EXTENSION].update_broker.stop()

    def _prepared(self, scope: Any) -> public_cache.Answer | None:
        """Return the answer if there is one that is the same for everybody."""
        parts: AppState | None = self.extensions.get(EXTENSION)
        if parts is None or (key := public_cache.key_of(scope, self.config["LANGUAGES"])) is None:
            return None
        return self.answers.find(key, parts.catalog_cache.current, parts.clock())

    def _reload(self, scope: Any) -> private_cache.Reload | None:
        """Return the page if who asks for it has it already."""
        parts: AppState | None = self.extensions.get(EXTENSION)
        return None if parts is None else self.reloads.find(scope, parts)

    def url_for(self, endpoint: str, **values: Any) -> str:
        """Return an address; those inside of the site, which are the same for everybody, are built once."""
        if values.keys() & NOT_THE_SAME or not has_request_context():
            return super().url_for(endpoint, **values)
        key = (endpoint, request.root_path, *values.items())
        try:
            if (address := self._addresses.get(key)) is not None:
                return address
        except TypeError:  # a list of values is no key
            return super().url_for(endpoint, **values)
        address = self._addresses[key] = super().url_for(endpoint, **values)
        return address

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

    @lru_cache(1000)  # noqa: B019  # there is one application, and few functions to be asked about
    def ensure_async(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function that is awaited for `func`; to look what kind of function it is takes its time."""
        return super().ensure_async(func)

    async def dispatch_request(self, request_context: RequestContext | None = None) -> ResponseReturnValue:
        """Run the view; one that only reads waits for the database no longer than one operation may take.

        The driver counts from the moment when a thread takes an operation up, and there may be a queue. What changes
        something has many operations; it is cut off as by a client that hangs up.
        """
        limit = self.config["DATABASE_TIMEOUT"] + IN_THE_QUEUE if request.method in SAFE else LONGEST_CHANGE
        async with asyncio.timeout(limit):
            return await super().dispatch_request(request_context)

    async def finalize_request(self, *args: Any, **options: Any) -> ResponseTypes:
        """Make the answer, whatever came of the request; none leaves the site unseen, or without its headers."""
        response = security_headers.add(self, await super().finalize_request(*args, **options))
        response = await self.answers.finish(response, self.config["LANGUAGES"])
        self.reloads.keep(response)
        security_headers.shorten(response)
        access_log.answered(response)
        return response

    def log_exception(self, exception_info: Any) -> None:
        what = (
            f"{access_log.method()} {access_log.path()} request_id={g.get('request_id')}"
            if has_request_context()
            else "start"
        )
        self.logger.error("failed: %s", what, exc_info=exception_info)


def utc_now() -> datetime:
    return datetime.now(UTC)


def create_app(
    config: "Config",
    *,
    open_database: OpenDatabase = client.open_database,
    clock: Callable[[], datetime] = utc_now,
) -> Quart:
    """Build the site; the database opens when it starts to serve and closes when it stops."""
    app = Enroll("quart_enroll", static_folder=None, template_folder=None)
    _configure(app, config)
    templating.init_app(app, config.template_overrides, auth.template_names, csrf_token)
    static_files.init_app(app, config.template_overrides)
    locale.init_app(app, _languages(config))
    app.session_interface = Sessions(app)
    auth.init_app(app, remembered=REMEMBERED_LIFETIME)
    app.before_request(arrive)
    if config.cors_origins:
        app.after_request(cors.headers_for(config.cors_origins))
    routes.register(app)
    document.init_app(app)
    _register_errors(app)
    cli.register(app)

    lifetimes = SignInLifetimes(timedelta(hours=config.session_idle), timedelta(hours=config.session_age))
    links = EmailLinks(config.secret_key, config.public_url)
    sender = _sender(config)

    @app.while_serving
    async def open_parts() -> AsyncGenerator[None, None]:
        language.set_language(app.config["LANGUAGES"][0])  # what works in the background has no reader yet
        templating.check_overrides(app, _site(app), quietly=not _is_first_process())
        with Hasher(config.password_method, slots=_slots(config), queue=config.password_queue) as hasher:
            async with (
                open_database(
                    config.mongo_uri, config.database_timeout, pool=config.database_pool, slow=config.slow_query
                ) as database,
                open_catalog_cache(database, clock) as catalog_cache,
                open_update_broker(database, catalog_cache) as update_broker,
                open_user_cache(database, update_broker.notify_user) as user_cache,
                run_in_background(
                    sample_forever(_probes(hasher, catalog_cache, update_broker)),
                    (schema := SchemaCheck(database)).check_at_start(),
                ),
                sending(database, sender, clock, links),
            ):
                app.extensions[EXTENSION] = AppState(
                    database=database,
                    hasher=hasher,
                    lifetimes=lifetimes,
                    links=links,
                    sends_mail=sender is not None,
                    clock=clock,
                    catalog_cache=catalog_cache,
                    update_broker=update_broker,
                    user_cache=user_cache,
                    schema=schema,
                )
                yield
                await section_lock.finish()

    return app


def _configure(app: Quart, config: "Config") -> None:
    secure = config.app_env == "production"
    app.config.update({field.name.upper(): getattr(config, field.name) for field in fields(config)})
    app.config.update(
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        BODY_TIMEOUT=20,  # seconds, below the 30 of Heroku's router
        RESPONSE_TIMEOUT=25,
        # Browsers take a cookie of such a name from this very host alone, and over https.
        SESSION_COOKIE_NAME="__Host-session" if secure else "session",
        SESSION_COOKIE_PATH="/",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_SAMESITE="Lax",
        QUART_AUTH_COOKIE_NAME="__Host-QUART_AUTH" if secure else "QUART_AUTH",
        QUART_AUTH_COOKIE_SECURE=secure,
        TEMPLATES_AUTO_RELOAD=not secure,
    )


def _languages(config: "Config") -> tuple[str, ...]:
    """Return the languages to offer; a school's own templates are in one, and nobody knows better which."""
    return config.languages or ((language.ENGLISH,) if config.template_overrides else language.known_languages())


def _site(app: Quart) -> Site:
    """Return the parts of the site that a school's own templates may use."""
    return Site(
        endpoints=app.view_functions.keys(),
        has_file=cast(static_files.Assets, app.extensions[static_files.EXTENSION]).has,
        attributes={"current_user": {*dir(auth.TemplateVisitor)}, "session": {*auth.SESSION, *dir(dict)}},
        fields={
            page: {*dir(form), "csrf_token", "form_errors"}
            for page, form in (("login.html", LoginForm), ("register.html", RegisterForm))
        },
    )


def _is_first_process() -> bool:
    """Tell whether this is the first process of the server to ask: one is enough to log what concerns them all."""
    if not (folder := os.environ.get(SLOTS_FOLDER_VARIABLE)):
        return True
    try:
        Path(folder, "first").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _slots(config: "Config") -> HashSlots:
    """Return what lets passwords be hashed side by side: a process that shares its server with others shares these."""
    each = config.password_threads or max(1, (os.cpu_count() or 1) // config.web_concurrency)
    folder = os.environ.get(SLOTS_FOLDER_VARIABLE)
    return HashSlots(folder, each * config.web_concurrency if folder else each)


def _probes(hasher: Hasher, catalog_cache: CatalogCache, update_broker: UpdateBroker) -> Probes:
    """Return what the sampler measures; it may not import the services itself."""
    return Probes(
        pending_changes=section_lock.waiting,
        pending_hashes=lambda: hasher.pending,
        live_pages=lambda: update_broker.open_pages,
        catalog_lag_seconds=lambda: catalog_cache.seconds_behind,
    )


def _sender(config: "Config") -> Sender | None:
    if config.smtp_url:
        plaintext = bool(config.allow_plaintext) or config.app_env == "development"
        return SmtpSender(config.smtp_url, config.mail_from, allow_plaintext=plaintext)
    return PrintedSender() if config.app_env == "development" else None


def _register_errors(app: Quart) -> None:
    app.register_error_handler(Unauthorized, error_pages.sign_in_first)
    app.register_error_handler(HTTPException, error_pages.http_error)
    app.register_error_handler(Refused, error_pages.refused)
    app.register_error_handler(Busy, error_pages.busy)
    app.register_error_handler(PleaseWait, error_pages.please_wait)
    app.register_error_handler(client.NoTransactions, error_pages.database_read_only)
    for away in (TimeoutError, *client.DATABASE_UNAVAILABLE):
        app.register_error_handler(away, error_pages.database_away)

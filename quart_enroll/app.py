"""Build the application: this is where the parts meet."""

import os
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from quart import Quart, g
from quart.typing import ResponseTypes

from quart_enroll import cli, routes
from quart_enroll.api.v1 import cors, document
from quart_enroll.db import client
from quart_enroll.domain.synonyms import Synonyms
from quart_enroll.fastpath import response_cache
from quart_enroll.fastpath.asgi_connection import FastConnection
from quart_enroll.fastpath.button_posts import ButtonPosts
from quart_enroll.fastpath.direct_protocol import DECLINED_KEY, DirectProtocol
from quart_enroll.fastpath.hypercorn_writer import Answer, send_response
from quart_enroll.fastpath.light_requests import Visitors
from quart_enroll.fastpath.page_views import PageViews
from quart_enroll.fastpath.request_queue import RequestQueue
from quart_enroll.fastpath.response_cache import ResponseCache
from quart_enroll.forms.accounts import LoginForm, RegisterForm
from quart_enroll.i18n import language
from quart_enroll.importing.file_import import ImportSettings
from quart_enroll.importing.runner import ImportRunner
from quart_enroll.observability.sampler import Probes, new_history, sample_forever
from quart_enroll.services.accounts.email_links import EmailLinks
from quart_enroll.services.accounts.hash_slots import SLOTS_FOLDER_VARIABLE, HashSlots, slots_per_process
from quart_enroll.services.accounts.hashing import Hasher
from quart_enroll.services.accounts.sessions import REMEMBERED_LIFETIME, SignInLifetimes
from quart_enroll.services.catalog.cache import CatalogCache, open_catalog_cache
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.waitlist_odds import WaitlistOdds
from quart_enroll.services.live.updates import UpdateBroker, open_update_broker
from quart_enroll.services.live.user_cache import open_user_cache
from quart_enroll.services.maintenance.schema_check import SchemaCheck
from quart_enroll.services.notifications.delivery import Mailer
from quart_enroll.services.notifications.mail import PrintedSender, Sender, SmtpSender
from quart_enroll.services.notifications.runner import run_outbox
from quart_enroll.services.staff.appointments import retry_at_open_enrollment
from quart_enroll.services.staff.holds import lift_ended_forever
from quart_enroll.services.staff.pools import release_due_forever
from quart_enroll.state import EXTENSION, AppState
from quart_enroll.system.background import run_in_background
from quart_enroll.system.clock import Clock, utc_now
from quart_enroll.system.wakeup import Wakeup
from quart_enroll.web import (
    access_log,
    auth,
    compression,
    error_pages,
    locale,
    proxies,
    security_headers,
    static_files,
    templating,
)
from quart_enroll.web.application import SiteApp
from quart_enroll.web.before_request import check_request
from quart_enroll.web.cookies import CookieSessions
from quart_enroll.web.csrf import csrf_token
from quart_enroll.web.overrides.check import Site
from quart_enroll.web.request import current_request, normalize_path
from quart_enroll.web.shutdown import shutdown_waiter
from quart_enroll.web.template_context import SESSION_KEYS, TemplateVisitor, session_facts, shared_context
from quart_enroll.web.uploads import UPLOAD_KEY

if TYPE_CHECKING:
    from config import Config

MAX_BODY_BYTES = 16 * 1024
"""Bytes that a request may send; no form of the site needs more."""

OpenDatabase = Callable[..., AbstractAsyncContextManager[client.Database]]


class Enroll(SiteApp):
    """The application, with the fast path in front of the framework."""

    def __init__(self, *args: Any, fastpath: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        self.config["FASTPATH"] = fastpath
        self.response_cache = ResponseCache(enabled=fastpath)
        self.page_views: PageViews | None = None
        self._request_queue = RequestQueue()
        self._awaits_shutdown = False
        self.button_posts: ButtonPosts | None = None
        if fastpath:
            self.asgi_http_class = self._open_fast_connection  # type: ignore[assignment]  # called like the class
            self.protocol_class = DirectProtocol

    def _open_fast_connection(self, _: Quart, scope: Any) -> FastConnection:
        return FastConnection(self, scope, self.page_views, self.button_posts)

    async def asgi_app(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle a connection; the site has no websockets."""
        match scope["type"]:
            case "http":
                if not self._awaits_shutdown:
                    self._await_shutdown(send)
                declined = scope.get("state", {}).pop(DECLINED_KEY, None)
                prepared = declined or self.prepare(scope)
                if declined is None and (answer := await self.answer(prepared)):
                    await send_response(answer.response, send, *answer.more)
                else:
                    await super().asgi_app(prepared, receive, send)
            case "websocket":
                await send({"type": "websocket.close"})
            case _:
                await super().asgi_app(scope, receive, send)

    async def answer(self, scope: Any) -> Answer | None:
        """Return the response to a request, whose scope has been prepared, if it doesn't need the framework."""
        began = monotonic()
        state: AppState | None = self.extensions.get(EXTENSION)
        if state and (cached := self.response_cache.find(scope, state, self.config["LANGUAGES"])):
            answer = response_cache.select(cached, scope)
            access_log.count(self, cached.endpoint, scope["method"], answer.response.status, monotonic() - began)
            return answer
        if state is None or self.page_views is None:
            return None
        await self._request_queue.wait(seats_change=state.enrollment.locks.pending_changes > 0)
        return await self.page_views.answer(scope)

    def prepare(self, scope: Any) -> Any:
        """Return the scope with a valid path, without query parameters that its view does not read, and with what the
        proxies say about the visitor.

        A school's own templates may use any parameter.
        """
        path, query = normalize_path(scope["path"]), scope["query_string"]
        if query and scope["method"] in ("GET", "HEAD") and not self.config["TEMPLATE_OVERRIDES"]:
            query = routes.filter_query(path, query)
        own = {"path": path, "query_string": query, UPLOAD_KEY: path in self.upload_paths}
        return {**proxies.trust(scope, self.config["PROXIES"]), **own}

    def _await_shutdown(self, send: Any) -> None:
        """Arrange that open streams end when the server begins to shut down; the first request leads to it."""
        if (wait := shutdown_waiter(send)) is None:
            return
        self._awaits_shutdown = True

        async def end_streams() -> None:
            await wait()
            self.extensions[EXTENSION].update_broker.stop()

        self.add_background_task(end_streams)

    async def finalize_request(self, *args: Any, **options: Any) -> ResponseTypes:
        """Complete the response to any request: add the headers, store it if its view allows that, and log it."""
        response = await super().finalize_request(*args, **options)
        if "cache_public" not in g:
            compression.compress(response, current_request())
        security_headers.add(self, response)
        response = await self.response_cache.store(response, self.config["LANGUAGES"])
        security_headers.shorten(response)
        access_log.log_response(response.status_code)
        return response


def create_app(
    config: "Config",
    *,
    open_database: OpenDatabase = client.open_database,
    clock: Clock = utc_now,
    fastpath: bool = True,
    fragment_cache: bool = True,
) -> Quart:
    """Build the site; the database opens when it starts to serve and closes when it stops.

    Without `fastpath` and `fragment_cache` it gives the same responses, only more slowly.
    """
    app = Enroll("quart_enroll", fastpath=fastpath, static_folder=None, template_folder=None)
    _configure(app, config)
    app.config["FRAGMENT_CACHE"] = fragment_cache
    templating.init_app(app, config.template_overrides, shared_context, session_facts, csrf_token)
    static_files.init_app(app, config.template_overrides, config.school_logo)
    app.jinja_env.globals["school_name"] = config.school_name
    locale.init_app(app, _languages(config))
    app.session_interface = CookieSessions(app)
    sign_in_cookies = auth.init_app(app, remembered=REMEMBERED_LIFETIME)
    app.before_request(check_request)
    if config.cors_origins:
        app.after_request(cors.headers_for(config.cors_origins))
    routes.register(app)
    if fastpath and not config.template_overrides:  # a school's own templates may use anything of the request
        visitors = Visitors(app, sign_in_cookies)
        app.page_views, app.button_posts = PageViews(app, visitors), ButtonPosts(app, visitors)
    document.init_app(app)
    error_pages.init_app(app)
    cli.register(app)

    lifetimes = SignInLifetimes(timedelta(hours=config.session_idle), timedelta(hours=config.session_age))
    links = EmailLinks(config.secret_key, config.public_url)
    sender = _sender(config)

    @app.while_serving
    async def open_parts() -> AsyncGenerator[None, None]:
        language.set_language(app.config["LANGUAGES"][0])  # for work in the background
        templating.check_overrides(app, _site(app), quietly=not _is_first_process())
        with Hasher(config.password_method, slots=_slots(config), queue=config.password_queue) as hasher:
            async with (
                open_database(
                    config.mongo_uri, config.database_timeout, pool=config.database_pool, slow=config.slow_query
                ) as database,
                open_catalog_cache(database, clock, Synonyms(config.search_synonyms)) as catalog_cache,
                open_update_broker(database, catalog_cache) as update_broker,
                open_user_cache(database, update_broker.notify_user) as user_cache,
                run_in_background(
                    sample_forever(
                        _probes(
                            hasher,
                            enrollment := EnrollmentContext(database, os.environ.get(SLOTS_FOLDER_VARIABLE)),
                            catalog_cache,
                            update_broker,
                        ),
                        load_history := new_history(),
                    ),
                    (schema := SchemaCheck(database)).check_at_start(),
                    (odds := WaitlistOdds(database)).refresh_forever(catalog_cache.get, clock),
                    lift_ended_forever(enrollment, clock),
                    retry_at_open_enrollment(enrollment, catalog_cache.get, clock),
                    release_due_forever(enrollment, catalog_cache.get, clock),
                    ImportRunner(database, _import_settings(config), clock, import_wakeup := Wakeup()).run_forever(),
                ),
                run_outbox(
                    database,
                    Mailer(sender, clock, links, config.timezone) if sender else None,
                    lambda: enrollment.locks.pending_changes > 0,
                ),
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
                    enrollment=enrollment,
                    load_history=load_history,
                    waitlist_odds=odds,
                    import_wakeup=import_wakeup,
                )
                yield
                await enrollment.locks.finish()

    return app


def _configure(app: Quart, config: "Config") -> None:
    secure = config.app_env == "production"
    app.config.update({field.name.upper(): getattr(config, field.name) for field in fields(config)})
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        BODY_TIMEOUT=20,  # seconds, below the 30 of Heroku's router
        RESPONSE_TIMEOUT=25,
        # With this prefix, browsers accept the cookie only from this exact host and over HTTPS.
        SESSION_COOKIE_NAME="__Host-session" if secure else "session",
        SESSION_COOKIE_PATH="/",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_SAMESITE="Lax",
        QUART_AUTH_COOKIE_NAME="__Host-QUART_AUTH" if secure else "QUART_AUTH",
        QUART_AUTH_COOKIE_SECURE=secure,
        TEMPLATES_AUTO_RELOAD=not secure,
    )


def _import_settings(config: "Config") -> ImportSettings:
    return ImportSettings(config.timezone, config.max_credits, config.password_method)


def _languages(config: "Config") -> tuple[str, ...]:
    """Return the languages to offer; by default only English if a school's own templates are in one language."""
    return config.languages or ((language.ENGLISH,) if config.template_overrides else language.known_languages())


def _site(app: Quart) -> Site:
    """Return what a school's own templates may refer to."""
    return Site(
        endpoints=app.view_functions.keys(),
        has_file=cast(static_files.StaticFiles, app.extensions[static_files.EXTENSION]).has,
        attributes={
            "current_user": {*dir(TemplateVisitor)},
            "session": {*SESSION_KEYS, *dir(dict)},
        },
        fields={
            page: {*dir(form), "csrf_token", "form_errors"}
            for page, form in (("login.html", LoginForm), ("register.html", RegisterForm))
        },
    )


def _is_first_process() -> bool:
    """Tell whether this is the server's first process: only one logs the problems that all share."""
    if not (folder := os.environ.get(SLOTS_FOLDER_VARIABLE)):
        return True
    try:
        Path(folder, "first").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _slots(config: "Config") -> HashSlots:
    """Return what lets passwords be hashed side by side: a process that shares its server with others shares these."""
    each = slots_per_process(config.password_threads, config.web_concurrency)
    folder = os.environ.get(SLOTS_FOLDER_VARIABLE)
    return HashSlots(folder, each * config.web_concurrency if folder else each)


def _probes(
    hasher: Hasher, enrollment: EnrollmentContext, catalog_cache: CatalogCache, update_broker: UpdateBroker
) -> Probes:
    """Return what the sampler measures; it may not import the services itself."""
    return Probes(
        pending_changes=lambda: enrollment.locks.pending_changes,
        pending_hashes=lambda: hasher.pending,
        live_pages=lambda: update_broker.open_pages,
        catalog_lag_seconds=lambda: catalog_cache.seconds_behind,
    )


def _sender(config: "Config") -> Sender | None:
    if config.smtp_url:
        plaintext = bool(config.allow_plaintext) or config.app_env == "development"
        return SmtpSender(config.smtp_url, config.mail_from, allow_plaintext=plaintext)
    return PrintedSender() if config.app_env == "development" else None

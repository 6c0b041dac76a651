"""The facts about a URL, and the URL rule that carries them.

`quart_enroll.routes` lists the routes; in a request, `request.route` is the one that matched.
"""

from collections.abc import Callable, Collection
from dataclasses import KW_ONLY, dataclass
from enum import Enum, auto
from typing import Any

from quart import Quart
from quart.routing import QuartRule

from quart_enroll.domain.roles import Role
from quart_enroll.i18n.language import Sentence

GET = ("GET",)
POST = ("POST",)
PATCH = ("PATCH",)
DELETE = ("DELETE",)


class Audience(Enum):
    """The visitors that a view admits."""

    EVERYBODY = auto()
    """Anybody, with the same response for all: the site does not look up the visitor."""

    VISITORS = auto()
    """Anybody; the response may depend on the visitor."""

    SIGNED_IN = auto()
    """Users who are signed in, or whose API request comes with a token or a password."""

    STAFF = auto()
    """Staff with one of the route's `roles`; other users get a 403."""


@dataclass(frozen=True, slots=True)
class Route:
    """A URL of the site and everything that is known about it before its view runs."""

    path: str
    endpoint: str
    view: Callable[..., Any] | None = None
    methods: tuple[str, ...] = GET
    _: KW_ONLY
    aliases: tuple[str, ...] = ()
    """Other paths of the same view."""

    audience: Audience = Audience.VISITORS

    roles: frozenset[Role] = frozenset()
    """The roles that a route for staff admits; what is outside a person's scope, the view answers with a 404."""

    menu_label: Sentence | None = None
    """Its name in the menu of the staff pages, whose order is that of the routes."""

    menu_purpose: Sentence | None = None
    """What staff do there; the overview says it."""

    query_parameters: Collection[str] | None = None
    """The parameters that the view reads; others are treated as if they had not been sent. None for a view that looks
    at all of them itself."""

    sign_in_purpose: Sentence | None = None
    """Asks a visitor to sign in, and says what for."""

    shows_notices: bool = False
    """The response is a page, on which the student's unseen notices can appear."""

    is_localized: bool = True
    """The response has text for people, so it depends on the reader's language."""

    allows_http: bool = False
    """Load balancers probe it from inside over plain HTTP; the response holds no secrets."""

    survives_disconnect: bool = False
    """A POST here is a change that runs to its end even if the client disconnects. Its paths have no variable parts."""

    changes_only_seats: bool = False
    """A change here leaves the account and its sign-ins alone, so they stay cached, even on the busiest days."""

    has_file: bool = False
    """Its form has a file, which can't be repeated: staff confirm their password before they see the form."""

    opens_record: Sentence | None = None
    """Shows one student's record or one roster to staff; the access log calls the page by this name.

    A page for students with such a name is also shown to staff who see the site as a student."""

    works_in_views: bool = False
    """Works as always while staff see the site as a student; no entry of the access log is needed."""

    ends_access: bool = False
    """Ends a sign-in or a token. No rate limit applies: otherwise a thief could use up the limit to stay signed in."""

    has_secret_url: bool = False
    """Its URL, or the one that led to it, is a secret: no cache, search engine or `Referer` may keep it."""

    proves_itself: bool = False
    """Its URL is signed, and so proves that the reader of an email wants the change: a POST needs no CSRF token."""

    api_tag: str | None = None
    """The section of the OpenAPI document that lists it."""

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.path, *self.aliases)


UNMATCHED = Route("", "")
"""Stands for the route of a request that matches none."""


class SiteRule(QuartRule):
    """A URL rule that knows its route."""

    def __init__(self, *args: Any, route: Route = UNMATCHED, **options: Any) -> None:
        super().__init__(*args, **options)
        self.route = route


def add_route(app: Quart, route: Route, view: Callable[..., Any] | None) -> None:
    """Let `app` answer requests for the route with `view`."""
    for path in route.paths:
        app.add_url_rule(path, route.endpoint, view, methods=list(route.methods), route=route)

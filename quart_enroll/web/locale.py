"""Choose the language of a response: the one that the visitor chose, else the one that the browser prefers.

Users who are signed in have their own language and time zone, wherever they sign in. The API is in English.
"""

import re
from functools import lru_cache

from quart import Quart
from quart.typing import ResponseTypes
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from quart_enroll.domain.models import User
from quart_enroll.i18n import language
from quart_enroll.state import site
from quart_enroll.web.request import SiteRequest, current_request
from quart_enroll.web.route import UNMATCHED

LANGUAGE_COOKIE_SECONDS = 365 * 24 * 3600

MAX_LANGUAGES_LENGTH = 200
"""Characters of the Accept-Language header that are read."""

BRITISH_TAGS = re.compile(r"\ben-(?:AU|HK|IE|IN|MT|NZ|SG|ZA)\b", re.IGNORECASE)
"""Browsers with these languages write dates and words as the British do."""

API_PATH = "/api/"
"""The beginning of the API's paths; its responses are in English."""


@lru_cache(1000)  # of truncated texts: some 500 kB
def choose(chosen: str, accepted: str, offered: tuple[str, ...]) -> str:
    """Return the language for a visitor: `chosen` is that of the cookie, `accepted` the header Accept-Language.

    The header must be cut at MAX_LANGUAGES_LENGTH. Visitors who accept none of the languages `offered` get the first.
    """
    if chosen in offered:
        return chosen
    languages: LanguageAccept = parse_accept_header(BRITISH_TAGS.sub(language.BRITISH, accepted), LanguageAccept)
    return languages.best_match(offered, offered[0])


def cookie_name(secure: bool) -> str:
    """Return the name of the cookie with the visitor's choice."""
    return "__Host-language" if secure else "language"


def init_app(app: Quart, offered: tuple[str, ...]) -> None:
    """Let `app` offer these languages."""
    app.config["LANGUAGES"] = offered


def set_language(user: User | None) -> None:
    """Respond in the user's own language and time zone, else in those of the browser and the school."""
    own, timezone = (user.language, user.timezone) if user else ("", "")
    request = current_request()
    language.set_timezone(timezone if is_localized(request) else "")
    if not is_localized(request):
        language.set_language(language.ENGLISH)
    elif own in offered():
        language.set_language(own)
    else:
        language.set_language(_of_browser(request))


def offered() -> tuple[str, ...]:
    """Return the languages that a visitor may choose."""
    languages: tuple[str, ...] = site().config["LANGUAGES"]
    return languages


def is_localized(request: SiteRequest) -> bool:
    """Tell whether the response has text for people, and so differs from one language to the next."""
    if request.route is UNMATCHED:
        return not request.path.startswith(API_PATH)
    return request.route.is_localized


def remember(response: ResponseTypes, chosen: str) -> None:
    """Store the visitor's choice in a cookie."""
    secure = site().config["SESSION_COOKIE_SECURE"]
    name = cookie_name(secure)
    response.set_cookie(name, chosen, max_age=LANGUAGE_COOKIE_SECONDS, secure=secure, httponly=True, samesite="Lax")


def _of_browser(request: SiteRequest) -> str:
    chosen = request.cookie(cookie_name(site().config["SESSION_COOKIE_SECURE"]))
    return choose(chosen[:20], request.header_map.get("accept-language", "")[:MAX_LANGUAGES_LENGTH], offered())

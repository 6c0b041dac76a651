"""In which language a visitor reads: the one they chose, else the one their browser asks for.

Who is signed in has a language of their own, wherever they sign in. Programs that use the API read English.
"""

from functools import lru_cache

from quart import Quart, current_app
from quart.typing import ResponseTypes
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from quart_enroll.domain.models import User
from quart_enroll.i18n import language
from quart_enroll.web.request import SiteRequest, asked
from quart_enroll.web.route import UNMATCHED

A_YEAR = 365 * 24 * 3600
MAX_LANGUAGES_LENGTH = 200
"""Characters of what a browser asks for that are looked at."""

API = "/api/"
"""The beginning of the API's paths; its responses are in English."""


@lru_cache(1000)  # of truncated texts: some 500 kB
def choose(chosen: str, accepted: str, offered: tuple[str, ...]) -> str:
    """Return the language for a visitor: `chosen` is that of the cookie, `accepted` the header Accept-Language, which
    must be cut at LONGEST.

    The first of those `offered` is for who wants none of them. It looks at nothing else, so that whoever keeps pages
    ready for visitors may ask it too.
    """
    if chosen in offered:
        return chosen
    asked: LanguageAccept = parse_accept_header(accepted, LanguageAccept)
    return asked.best_match(offered, offered[0])


def cookie_name(secure: bool) -> str:
    """Return the name of the cookie with the language that a visitor chose."""
    return "__Host-language" if secure else "language"


def init_app(app: Quart, offered: tuple[str, ...]) -> None:
    """Let `app` speak to each visitor in one of the languages `offered`."""
    app.config["LANGUAGES"] = offered


def speak_to(user: User | None) -> None:
    """Speak the language of who is signed in, if they have one; else that of the browser."""
    own = user.language if user else ""
    request = asked()
    if not is_localized(request):
        language.set_language(language.ENGLISH)
    elif own in offered():
        language.set_language(own)
    else:
        language.set_language(_of_browser(request))


def offered() -> tuple[str, ...]:
    """Return the languages that a visitor may choose."""
    languages: tuple[str, ...] = current_app.config["LANGUAGES"]
    return languages


def is_localized(request: SiteRequest) -> bool:
    """Tell whether the response has text for people, and so differs from one language to the next."""
    if request.route is UNMATCHED:
        return not request.path.startswith(API)
    return request.route.is_localized


def remember(response: ResponseTypes, chosen: str) -> None:
    """Let the browser keep the language that a visitor chose."""
    secure = current_app.config["SESSION_COOKIE_SECURE"]
    name = cookie_name(secure)
    response.set_cookie(name, chosen, max_age=A_YEAR, secure=secure, httponly=True, samesite="Lax")


def _of_browser(request: SiteRequest) -> str:
    chosen = request.cookie(cookie_name(current_app.config["SESSION_COOKIE_SECURE"]))
    return choose(chosen[:20], request.header_map.get("accept-language", "")[:MAX_LANGUAGES_LENGTH], offered())

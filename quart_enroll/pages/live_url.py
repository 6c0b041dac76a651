"""The URL at which a page hears of changes."""

from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlencode

from markupsafe import escape

from quart_enroll.state import site


def live_url(terms: Iterable[str], courses: Iterable[str]) -> bytes:
    """Return the URL of updates about these courses, as the value of an attribute.

    Quart would build a URL with these parameters anew each time, which takes as long as half a page.
    """
    parameters = [*(_parameter("term", name) for name in terms), *(_parameter("course", one) for one in courses)]
    return str(escape(f"{site().url_for('live')}?{'&'.join(parameters)}")).encode()


@lru_cache(5000)  # of the school's own terms and courses
def _parameter(name: str, value: str) -> str:
    return urlencode({name: value})

"""The URL at which a page hears of changes."""

from collections.abc import Iterable
from urllib.parse import urlencode

from markupsafe import escape

from quart_enroll.state import site


def live_url(terms: Iterable[str], courses: Iterable[str]) -> bytes:
    """Return the URL of updates about these courses, as the value of an attribute.

    Quart would build a URL with these parameters anew each time, which takes as long as half a page.
    """
    parameters = [*(("term", name) for name in terms), *(("course", courseID) for courseID in courses)]
    return str(escape(f"{site().url_for('live')}?{urlencode(parameters)}")).encode()

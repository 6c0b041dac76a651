"""Writes static/dark.css, the dark colors for browsers without JavaScript: `python -m tests.support.dark_css`.

Bootstrap and site.css have their dark colors below an attribute that theme.js sets. A page without scripts loads
dark.css instead, only if the system's colors are dark.
"""

import re
from collections.abc import Iterator

from quart_enroll.web.static_files import STATIC

FILE = STATIC / "dark.css"
SOURCES = (STATIC / "vendor" / "bootstrap-5.3.9" / "bootstrap.min.css", STATIC / "site.css")
HEADING = "/* Written by tests/support/dark_css.py: the dark colors for browsers without JavaScript. */\n"

_RULE = re.compile(r'(?P<selector>\[data-bs-theme="?dark"?\](?P<inside> [^{},]+)?)\s*\{(?P<body>[^}]*)\}')


def dark_css() -> str:
    """Return what dark.css must contain."""
    return HEADING + "\n".join(_rules()) + "\n"


def _rules() -> Iterator[str]:
    for source in SOURCES:
        for rule in _RULE.finditer(source.read_text()):
            yield f":root{rule['inside'] or ''}{{{' '.join(rule['body'].split())}}}"


if __name__ == "__main__":
    FILE.write_text(dark_css())

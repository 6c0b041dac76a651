"""Browsers in words, as httpagentparser knows them from the User-Agent header."""

import httpagentparser

LONGEST = 500
"""Characters of the header that are looked at; those of browsers have about 120."""

NAMES = {"ChromiumEdge": "Edge", "ChromeiOS": "Chrome"}
"""What people call them, where httpagentparser has another name."""


def in_words(user_agent: str) -> str:
    """Return what the owner of a sign-in would recognize: "Firefox on Windows"; empty when nothing is known."""
    found = httpagentparser.detect(user_agent[:LONGEST])
    browser = _name(found.get("browser"))
    system = _name(found.get("dist")) or _name(found.get("platform"))
    return " on ".join(part for part in (browser, system) if part)


def _name(found: dict[str, str | None] | None) -> str:
    name = ((found or {}).get("name") or "").strip()
    return NAMES.get(name, name)

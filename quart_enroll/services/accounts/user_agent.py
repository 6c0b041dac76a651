"""Describes browsers by their User-Agent header, with httpagentparser."""

import httpagentparser

MAX_HEADER_LENGTH = 500
"""Characters of the header that are parsed; browsers send about 120."""

DISPLAY_NAMES = {"ChromiumEdge": "Edge", "ChromeiOS": "Chrome"}
"""Familiar names for what httpagentparser calls otherwise."""


def describe(user_agent: str) -> str:
    """Return a description such as "Firefox on Windows", or an empty string if nothing is known."""
    found = httpagentparser.detect(user_agent[:MAX_HEADER_LENGTH])
    browser = _name(found.get("browser"))
    system = _name(found.get("dist")) or _name(found.get("platform"))
    return " on ".join(part for part in (browser, system) if part)


def _name(found: dict[str, str | None] | None) -> str:
    name = ((found or {}).get("name") or "").strip()
    return DISPLAY_NAMES.get(name, name)

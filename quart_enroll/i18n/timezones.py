"""The time zones that users choose from: those in CLDR that this machine knows, by region and city."""

from functools import cache
from typing import TypeAlias
from zoneinfo import available_timezones

from babel.core import get_global

from quart_enroll.i18n.language import Sentence, current_language, locale_of, use_language

REGIONS = {
    "Africa": Sentence("Africa"),
    "America": Sentence("Americas"),
    "Antarctica": Sentence("Antarctica"),
    "Arctic": Sentence("Arctic"),
    "Asia": Sentence("Asia"),
    "Atlantic": Sentence("Atlantic Ocean"),
    "Australia": Sentence("Australia"),
    "Europe": Sentence("Europe"),
    "Indian": Sentence("Indian Ocean"),
    "Pacific": Sentence("Pacific Ocean"),
}
"""The regions that names of time zones begin with."""

Choices: TypeAlias = dict[str, list[tuple[str, str]]]
"""Choices of a field: pairs of a value and its label, by the label of their group."""


@cache
def known_timezones() -> frozenset[str]:
    """Return the names of the time zones of places, such as America/New_York."""
    places = (name for name in get_global("zone_territories") if name.partition("/")[0] in REGIONS)
    return frozenset(places) & available_timezones()


def known_timezone(stored: object) -> str:
    """Return the name of a stored time zone; empty if there is none, or if this machine doesn't know it."""
    return stored if isinstance(stored, str) and stored in known_timezones() else ""


def timezone_choices() -> Choices:
    """Return the time zones by region, each with the name of its city, in the current language."""
    return _choices(current_language())


def city_of(timezone: str) -> str:
    """Return the city after which the time zone is named, in the current language."""
    found = locale_of(current_language()).time_zones.get(timezone, {}).get("city")
    parts = str(found or timezone.partition("/")[2] or timezone).replace("_", " ").split("/")
    return ", ".join(reversed(parts))


@cache
def _choices(language: str) -> Choices:
    with use_language(language):
        labeled = sorted((city_of(name), name) for name in known_timezones())
        return {
            str(label): [(name, city) for city, name in labeled if name.startswith(f"{region}/")]
            for region, label in REGIONS.items()
        }

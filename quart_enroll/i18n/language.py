"""The language of who asks: every sentence stands in the code in English, and is told in the reader's own.

`translations/es.po` has the sentences in Spanish, and so on: a language is known when its file is there. They are read
as they are when a process starts, so that no compiled file can be missing or old.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache, wraps
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Any, ParamSpec, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time, get_day_names
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from quart_enroll import bounded_cache

P = ParamSpec("P")
T = TypeVar("T")

ENGLISH = "en"
TRANSLATIONS_FOLDER = Path(__file__).parents[1] / "translations"

LOCALES = {ENGLISH: "en_GB"}
"""Whose form of dates, numbers and lists a language has, where its own name leaves that open: the day comes before the
month, and the clock has 24 hours."""

DAYS = "MTWRFSU"
"""The days of a week as they are stored; R is Thursday, U is Sunday."""

_SEASON = re.compile(r"\b(?:Winter|Spring|Summer|Fall)\b")
_NAME = rf"{_SEASON.pattern}(?: \d{{4}})?"
_SEASONS = re.compile(rf"{_NAME}(?:\s*(?:[/;&+]|and|or)\s*{_NAME})*")
"""Seasons, with or without a year, between the commas of a list."""

Value: TypeAlias = (
    "str | int | float | Sentence | TermName | Moment | LastDay | Days | Sequence[str] | Sequence[TermName]"
)


def _read(path: Path) -> NullTranslations:
    compiled = BytesIO()
    with open(path, "rb") as file:
        write_mo(compiled, read_po(file, locale=path.stem))
    compiled.seek(0)
    return GNUTranslations(compiled)


TRANSLATIONS: dict[str, NullTranslations] = {
    ENGLISH: NullTranslations(),
    **{path.stem: _read(path) for path in sorted(TRANSLATIONS_FOLDER.glob("*.po"))},
}

_spoken = ContextVar("language", default=ENGLISH)


def known_languages() -> tuple[str, ...]:
    """Return the languages that the site can speak, English first."""
    return tuple(TRANSLATIONS)


def current_language() -> str:
    """Return the language that is spoken now."""
    return _spoken.get()


def set_language(language: str) -> None:
    """Speak this language from now on, in this task; one that is not known is English."""
    _spoken.set(language if language in TRANSLATIONS else ENGLISH)


@contextmanager
def use_language(language: str) -> Iterator[None]:
    """Speak this language while the block runs."""
    before = _spoken.set(language if language in TRANSLATIONS else ENGLISH)
    try:
        yield
    finally:
        _spoken.reset(before)


@lru_cache
def native_name(language: str) -> str:
    """Return what its speakers call the language."""
    name = Locale.parse(language).get_display_name() or language
    return name[:1].upper() + name[1:]


class Sentence:
    """A sentence that is in no language yet: it becomes text in that of the reader, when it is read.

    `message` is the English one, with %(name)s for each of `values`; `plural` says it of a `number` other than 1.
    """

    __slots__ = ("message", "plural", "values")

    def __init__(self, message: str, /, **values: Value) -> None:
        self.message = message
        self.plural = ""
        self.values = values

    def __str__(self) -> str:
        number = self.values.get("number")
        if self.plural and isinstance(number, int | float):
            text = translate_plural(self.message, self.plural, number)
        else:
            text = translate(self.message)
        return text % {name: format_value(value) for name, value in self.values.items()} if self.values else text

    def __mod__(self, values: Mapping[str, object]) -> str:
        """Fill in the values that were not known before: links, or what WTForms' validators put into their messages."""
        return str(self) % values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sentence) and (self.message, self.plural, self.values) == (
            other.message,
            other.plural,
            other.values,
        )

    def __hash__(self) -> int:
        return hash((self.message, self.plural))

    def __repr__(self) -> str:
        return f"Sentence({self.message!r}, {self.values})"


@dataclass(frozen=True, slots=True)
class TermName:
    """The stored name of a term, or the names of some seasons: "Fall 2026", "Fall, Spring"."""

    term: str

    def __str__(self) -> str:
        return format_term(self.term)


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment, told by the clock of a timezone."""

    at: datetime
    timezone: str

    def __str__(self) -> str:
        return format_moment(self.at, self.timezone)


@dataclass(frozen=True, slots=True)
class LastDay:
    """The day that ends at a moment, in a timezone."""

    ends_at: datetime
    timezone: str

    def __str__(self) -> str:
        day = (self.ends_at - timedelta.resolution).astimezone(ZoneInfo(self.timezone)).date()
        return f"{format_date(day, 'long', locale=_form(_spoken.get()))} ({self.timezone})"


@dataclass(frozen=True, slots=True)
class Days:
    """Days of the week, as letters."""

    days: str

    def __str__(self) -> str:
        return format_days(self.days)


def plural(one: str, many: str, number: int, /, **values: Value) -> Sentence:
    """Return a sentence about a number of things, which it may name as %(number)s."""
    sentence = Sentence(one, number=number, **values)
    sentence.plural = many
    return sentence


def cached_per_language(name: str, size: Callable[[Any, T], int]) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Cache what a function returns, as `caches.cached` does, but for each language, because it contains words."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @bounded_cache.cached(name, size)
        def kept(_: str, /, *args: P.args, **kwargs: P.kwargs) -> T:
            return function(*args, **kwargs)

        @wraps(function)
        def asked(*args: P.args, **kwargs: P.kwargs) -> T:
            return kept(current_language(), *args, **kwargs)

        return asked

    return decorate


def translate(message: str) -> str:
    """Return the message in the language that is spoken now, with nothing filled in."""
    return TRANSLATIONS[_spoken.get()].gettext(message) if message else ""


def translate_plural(one: str, many: str, number: int | float) -> str:
    """Return what is said of so many things, with nothing filled in; half a thing takes the plural."""
    return TRANSLATIONS[_spoken.get()].ngettext(one, many, int(number) if number == int(number) else 2)


def join_sentences(sentences: Sequence[Sentence]) -> Sentence:
    """Return one sentence that says all of these, one after the other."""
    first, *more = sentences
    for one in more:
        first = Sentence("%(first)s %(next)s", first=first, next=one)
    return first


def gettext(message: str, /, **values: Value) -> str:
    """Return the message in the language that is spoken now."""
    return str(Sentence(message, **values))


def ngettext(one: str, many: str, number: int, /, **values: Value) -> str:
    """Return the message about a number of things in the language that is spoken now."""
    return str(plural(one, many, number, **values))


def format_value(value: object) -> str:
    """Return a value as it stands in a sentence."""
    if isinstance(value, int | float):
        return format_number(value)
    if isinstance(value, list | tuple):
        return format_list_of(value)
    return str(value)


def format_number(value: int | float) -> str:
    """Return the number as it is written, with two decimals at most."""
    return _decimal(value, _spoken.get())


def format_list_of(names: Sequence[object]) -> str:
    """Return the names with commas between them, and an "and" before the last."""
    return format_list([str(name) for name in names], locale=_form(_spoken.get()))


def format_moment(at: datetime, timezone: str) -> str:
    """Return the moment in words, by the clock of that timezone."""
    return _moment(at, timezone, _spoken.get())


def format_day(when: date) -> str:
    """Return the day in short."""
    return str(format_date(when, "medium", locale=_form(_spoken.get())))


def format_day_name(letter: str) -> str:
    """Return what a day of the week is called in short."""
    names = get_day_names("abbreviated", context="stand-alone", locale=_form(_spoken.get()))
    return str(names[DAYS.index(letter)])


def format_days(letters: str) -> str:
    """Return days of the week as the reader's letters."""
    # Translators: one letter for each day of the week, from Monday to Sunday; in English R is Thursday, U is Sunday.
    own = gettext("MTWRFSU")
    return "".join(own[DAYS.index(letter)] for letter in letters)


def format_term(text: str) -> str:
    """Return the name of a term, or of several, in the reader's words; what is no season stays.

    A school's own name stays as it is, even if it has a season in it.
    """
    if _spoken.get() == ENGLISH:
        return text
    own = _seasons(_spoken.get())
    names = re.split(r"(,\s*)", text)
    return "".join(_SEASON.sub(lambda one: own[one[0]], name) if _SEASONS.fullmatch(name) else name for name in names)


@lru_cache
def _seasons(language: str) -> dict[str, str]:
    with use_language(language):
        return {
            "Winter": gettext("Winter"),
            "Spring": gettext("Spring"),
            "Summer": gettext("Summer"),
            "Fall": gettext("Fall"),
        }


@bounded_cache.cached("numbers")
def _decimal(value: int | float, language: str) -> str:
    return str(format_decimal(value, "#,##0.##", locale=_form(language)))


@bounded_cache.cached("moments")
def _moment(at: datetime, timezone: str, language: str) -> str:
    local, form = at.astimezone(ZoneInfo(timezone)), _form(language)
    return f"{format_date(local, 'full', locale=form)}, {format_time(local, 'HH:mm', locale=form)} ({timezone})"


@lru_cache
def _form(language: str) -> Locale:
    return Locale.parse(LOCALES.get(language, language))

"""The current language: sentences are written in the code in English and translated when they are shown.

Each file such as `translations/es.po` adds a language. Processes read the files themselves, so that no compiled file
can be missing or outdated.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property, lru_cache, wraps
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_interval, format_skeleton, format_time, get_day_names, get_timezone_name
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from quart_enroll import bounded_cache
from quart_enroll.i18n.british import BritishEnglish

P = ParamSpec("P")
T = TypeVar("T")

ENGLISH = "en"
BRITISH = "en-GB"
TRANSLATIONS_FOLDER = Path(__file__).parents[1] / "translations"

LOCALES = {ENGLISH: "en-US"}
"""Locales for the formats of dates, times, numbers and lists where the code of the language is another one."""

NAMES = {ENGLISH: "English (US)", BRITISH: "English (UK)"}
"""Names of languages that are clearer than those of CLDR."""

DAYS = "MTWRFSU"
"""The days of a week as they are stored; R is Thursday, U is Sunday."""

_SEASON = re.compile(r"\b(?:Winter|Spring|Summer|Fall)\b")
_NAME = rf"{_SEASON.pattern}(?: \d{{4}})?"
_SEASONS = re.compile(rf"{_NAME}(?:\s*(?:[/;&+]|and|or)\s*{_NAME})*")
"""Matches seasons, with or without a year, between the commas of a list."""

FormattedValue: TypeAlias = "Sentence | TermName | NameList | Moment | LastDay | Days | ClockTime | Hours"
Value: TypeAlias = "str | int | float | FormattedValue | Sequence[str] | Sequence[TermName]"


class TranslationsFile(NullTranslations):
    """The translations of a file, read when they are first used: it takes a tenth of a command's start."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    @cached_property
    def content(self) -> GNUTranslations:
        compiled = BytesIO()
        with open(self._path, "rb") as file:
            write_mo(compiled, read_po(file, locale=self._path.stem))
        compiled.seek(0)
        return GNUTranslations(compiled)

    def gettext(self, message: str) -> str:
        return self.content.gettext(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.content.ngettext(msgid1, msgid2, n)


TRANSLATIONS: dict[str, NullTranslations] = {
    ENGLISH: NullTranslations(),
    BRITISH: BritishEnglish(),
    **{path.stem: TranslationsFile(path) for path in sorted(TRANSLATIONS_FOLDER.glob("*.po"))},
}


def load_translations() -> None:
    """Read the files of all languages now, so that no request waits for it."""
    for translations in TRANSLATIONS.values():
        if isinstance(translations, TranslationsFile):
            translations.content  # noqa: B018  # it stays in memory


_current = ContextVar("language", default=ENGLISH)
_timezone = ContextVar("timezone", default="")


def known_languages() -> tuple[str, ...]:
    """Return the languages that have translations, English first."""
    return tuple(TRANSLATIONS)


def current_language() -> str:
    """Return the current language."""
    return _current.get()


def set_language(language: str) -> None:
    """Set the language of the current task; an unknown language means English."""
    _current.set(language if language in TRANSLATIONS else ENGLISH)


@contextmanager
def use_language(language: str) -> Iterator[None]:
    """Set the language during the block; an unknown language means English."""
    before = _current.set(language if language in TRANSLATIONS else ENGLISH)
    try:
        yield
    finally:
        _current.reset(before)


def current_formats() -> tuple[str, str]:
    """Return the current language and the reader's own time zone, if any: what formatted texts depend on."""
    return _current.get(), _timezone.get()


def set_timezone(timezone: str) -> None:
    """Show moments in this time zone during the current task; if it is empty, each in that of its term or school."""
    _timezone.set(timezone)


@contextmanager
def use_timezone(timezone: str) -> Iterator[None]:
    """Set the reader's own time zone during the block."""
    before = _timezone.set(timezone)
    try:
        yield
    finally:
        _timezone.reset(before)


@lru_cache
def native_name(language: str) -> str:
    """Return the name of the language in that language."""
    name = NAMES.get(language) or locale_of(language).get_display_name() or language
    return name[:1].upper() + name[1:]


class Sentence:
    """A sentence that is translated when it becomes text, into the language that is current then.

    `message` is in English, with a placeholder %(name)s for each of `values`. `plural` is the message for a `number`
    other than 1.
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
        """Fill in values that were not known before, such as links or those of WTForms' validators."""
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


class FormMessage(Sentence):
    """A sentence into which a validator fills its values; the result is still translated when it becomes text."""

    __slots__ = ()

    def __mod__(self, values: Mapping[str, object]) -> Any:
        """Fill in those of the values that the message has."""
        new = {name: str(one) for name, one in values.items() if f"%({name})" in self.message}
        return Sentence(self.message, **new | self.values)


def as_sentence(text: str | Sentence) -> Sentence:
    """Return a text that has no translation as a sentence."""
    return text if isinstance(text, Sentence) else Sentence(text)


@dataclass(frozen=True, slots=True)
class TermName:
    """The stored name of a term or of several seasons, such as "Fall 2026" or "Fall, Spring"."""

    term: str

    def __str__(self) -> str:
        return format_term(self.term)


@dataclass(frozen=True, slots=True)
class NameList:
    """Names joined by "and" or "or"; a list within another list is in parentheses."""

    items: "tuple[str | Sentence | TermName | NameList, ...]"
    joiner: Literal["and", "or"] = "and"

    def __str__(self) -> str:
        if len(self.items) == 1:
            return str(self.items[0])
        names = [f"({one})" if isinstance(one, NameList) else str(one) for one in self.items]
        style: Literal["standard", "or"] = "or" if self.joiner == "or" else "standard"
        return format_list(names, style=style, locale=locale_of(_current.get()))


@dataclass(frozen=True, slots=True)
class Moment:
    """A date and time, shown in the reader's own time zone, or else in this one."""

    at: datetime
    timezone: str

    def __str__(self) -> str:
        return format_moment(self.at, self.timezone)


@dataclass(frozen=True, slots=True)
class LastDay:
    """The day that ends at a given time in a timezone."""

    ends_at: datetime
    timezone: str

    def __str__(self) -> str:
        local = (self.ends_at - timedelta.resolution).astimezone(ZoneInfo(self.timezone))
        locale = locale_of(_current.get())
        return f"{format_date(local, 'long', locale=locale)} ({_zone_name(local, self.timezone, locale)})"

    @property
    def is_readers(self) -> bool:
        """Whether a day ends then in the reader's own time zone too."""
        zone = ZoneInfo(_timezone.get() or self.timezone)
        return (self.ends_at - timedelta.resolution).astimezone(zone).date() < self.ends_at.astimezone(zone).date()


@dataclass(frozen=True, slots=True)
class Days:
    """Days of the week, shown as letters."""

    days: str

    def __str__(self) -> str:
        return format_days(self.days)


@dataclass(frozen=True, slots=True)
class ClockTime:
    """A time of day, such as "09:50"."""

    clock: str

    def __str__(self) -> str:
        return format_clock(self.clock)


@dataclass(frozen=True, slots=True)
class Hours:
    """The time from `start` to `end`, such as "09:50" and "10:40"."""

    start: str
    end: str

    def __str__(self) -> str:
        return format_hours(self.start, self.end)

    @property
    def brief(self) -> str:
        """The times without AM and PM, for a picture that shows the hours beside it."""
        return format_hours(self.start, self.end, brief=True)


def plural(one: str, many: str, number: int | float, /, **values: Value) -> Sentence:
    """Return a sentence about a number, which it may contain as %(number)s."""
    sentence = Sentence(one, number=number, **values)
    sentence.plural = many
    return sentence


def cached_per_language(name: str, size: Callable[[Any, T], int]) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Cache a function's results like `bounded_cache.cached`, but separately for each language and time zone."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @bounded_cache.cached(name, size)
        def cached_for(_: tuple[str, str], /, *args: P.args, **kwargs: P.kwargs) -> T:
            return function(*args, **kwargs)

        @wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
            return cached_for(current_formats(), *args, **kwargs)

        return wrapper

    return decorate


def translate(message: str) -> str:
    """Translate the message into the current language, without filling in values."""
    return TRANSLATIONS[_current.get()].gettext(message) if message else ""


def translate_plural(one: str, many: str, number: int | float) -> str:
    """Translate the message for this number, without filling in values; fractions take the plural."""
    return TRANSLATIONS[_current.get()].ngettext(one, many, int(number) if number == int(number) else 2)


def join_sentences(sentences: Sequence[Sentence]) -> Sentence:
    """Join several sentences into one."""
    first, *more = sentences
    for one in more:
        first = Sentence("%(first)s %(next)s", first=first, next=one)
    return first


def gettext(message: str, /, **values: Value) -> str:
    """Return the message in the current language."""
    return str(Sentence(message, **values))


def ngettext(one: str, many: str, number: int, /, **values: Value) -> str:
    """Return the message about a number in the current language."""
    return str(plural(one, many, number, **values))


def format_value(value: object) -> str:
    """Return a value as text for a sentence."""
    if isinstance(value, int | float):
        return format_number(value)
    if isinstance(value, list | tuple):
        return format_list_of(value)
    return str(value)


def format_number(value: int | float) -> str:
    """Return the number as text, with at most two decimals."""
    return _decimal(value, _current.get())


def format_list_of(names: Sequence[object]) -> str:
    """Return the names as a list with commas and "and"."""
    return format_list([str(name) for name in names], locale=locale_of(_current.get()))


def format_moment(at: datetime, timezone: str) -> str:
    """Return the full date and time in the reader's own time zone, or else in the one given."""
    return _moment(at, _timezone.get() or timezone, _current.get())


def format_timestamp(at: datetime, timezone: str) -> str:
    """Return the date and the time to the second in the timezone, in a short form."""
    local = at.astimezone(ZoneInfo(timezone))
    return f"{format_day(local)}, {_plain(format_time(local, 'medium', locale=locale_of(_current.get())))}"


def format_day(when: date) -> str:
    """Return the date in a short form."""
    return str(format_date(when, "medium", locale=locale_of(_current.get())))


def format_clock(clock: str) -> str:
    """Return a time such as "09:50" as the reader's clock shows it."""
    return _clock(clock, _current.get())


def format_hour(hour: int) -> str:
    """Return a full hour as briefly as the reader's clock allows."""
    return _hour(hour, _current.get())


def format_hours(start: str, end: str, *, brief: bool = False) -> str:
    """Return the time from `start` to `end`, such as "09:50" and "10:40", as the reader's clock shows it.

    If it is `brief`, without AM and PM.
    """
    return _hours(start, end, _current.get(), brief)


def format_day_name(letter: str) -> str:
    """Return the short name of a day of the week."""
    names = get_day_names("abbreviated", context="stand-alone", locale=locale_of(_current.get()))
    return str(names[DAYS.index(letter)])


def format_days(letters: str) -> str:
    """Return days of the week as letters in the current language."""
    # Translators: one letter for each day of the week, from Monday to Sunday; in English R is Thursday, U is Sunday.
    translated = gettext("MTWRFSU")
    return "".join(translated[DAYS.index(letter)] for letter in letters)


def format_term(text: str) -> str:
    """Return the name of a term, or of several, with the seasons translated.

    Names that a school has chosen stay as they are, even if they contain a season.
    """
    if _current.get() in (ENGLISH, BRITISH):
        return text
    translations = _seasons(_current.get())
    names = re.split(r"(,\s*)", text)
    return "".join(
        _SEASON.sub(lambda match: translations[match[0]], name) if _SEASONS.fullmatch(name) else name for name in names
    )


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
    return str(format_decimal(value, "#,##0.##", locale=locale_of(language)))


@bounded_cache.cached("moments")
def _moment(at: datetime, timezone: str, language: str) -> str:
    local, locale = at.astimezone(ZoneInfo(timezone)), locale_of(language)
    day, clock = format_date(local, "full", locale=locale), _plain(format_time(local, "short", locale=locale))
    zone = _zone_name(local, timezone, locale)
    return f"{day}, {clock} {zone if zone != timezone else f'({zone})'}"


@lru_cache(1000)  # whole hours, in forms and weeks
def _clock(clock: str, language: str) -> str:
    return _plain(format_time(time.fromisoformat(clock), "short", locale=locale_of(language)))


@lru_cache(1000)
def _hour(hour: int, language: str) -> str:
    locale = locale_of(language)
    return _plain(format_skeleton("h" if _has_12_hours(locale) else "Hm", time(hour), locale=locale))


@bounded_cache.cached("hours")
def _hours(start: str, end: str, language: str, brief: bool) -> str:
    locale = locale_of(language)
    if brief and _has_12_hours(locale):
        return "–".join(format_time(time.fromisoformat(one), "h:mm", locale=locale) for one in (start, end))
    skeleton = "hm" if _has_12_hours(locale) else "Hm"
    return _plain(format_interval(time.fromisoformat(start), time.fromisoformat(end), skeleton, locale=locale))


def _has_12_hours(locale: Locale) -> bool:
    return "a" in locale.time_formats["short"].pattern


def _zone_name(local: datetime, timezone: str, locale: Locale) -> str:
    """Return the abbreviation that people use for the timezone, such as ET, or its name if the locale has none."""
    for variant in ("generic", None):
        name = get_timezone_name(local, "short", locale=locale, zone_variant=variant)
        if name.isalpha():
            return str(name)
    return timezone


def _plain(text: str) -> str:
    """Return a time with ordinary spaces, which every font has and everyone types."""
    return text.replace("\u2009", "").replace("\u202f", " ")


@lru_cache
def locale_of(language: str) -> Locale:
    """Return the locale for the formats of the language."""
    return Locale.parse(LOCALES.get(language, language), sep="-")

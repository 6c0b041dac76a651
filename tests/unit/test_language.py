"""Every sentence of the site exists in every language, and is formatted for its reader."""

import ast
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from babel.messages import Catalog
from babel.messages.frontend import CommandLineInterface
from babel.messages.pofile import read_po

import quart_enroll
from quart_enroll.db.queries.earlier_messages import REWORDED, REWORDED_PLURALS, reword
from quart_enroll.db.queries.message_codec import decode, encode
from quart_enroll.domain.errors import (
    Closed,
    CorequisitesWouldGo,
    CreditLimit,
    NotOpenYet,
    PleaseWait,
    PrerequisiteMissing,
    Refused,
    SectionFull,
    TermNeeded,
    TimeConflict,
)
from quart_enroll.domain.models import Meeting
from quart_enroll.i18n import language
from quart_enroll.i18n.language import LastDay, Moment, Sentence, plural, use_language
from quart_enroll.web.locale import choose
from tests.support.processes import PROJECT

PACKAGE = Path(quart_enroll.__file__).parent
FILES = sorted(language.TRANSLATIONS_FOLDER.glob("*.po"))
PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\}|<[^>]*>")
TRANSLATING_CALLS = {"Sentence", "gettext", "lazy", "ngettext", "plural"}
"""The functions that mark a text for translation."""

MODULES_WITH_SENTENCES = [
    *("app.py", "domain/actors.py", "domain/audit.py", "domain/errors.py", "domain/models.py", "domain/roles.py"),
    *("domain/permission_numbers.py", "forms/permission_number.py", "forms/staff/permits.py"),
    *("domain/permits.py", "forms/consent.py", "services/staff/consent.py"),
    *("domain/rules.py", "services/enrollment/act_for.py", "domain/appointments.py", "forms/staff/appointments.py"),
    *("domain/email_settings.py", "forms/email_settings.py"),
    *("domain/section_edits.py", "forms/staff/catalog.py", "forms/staff/imports.py", "forms/staff/logs.py"),
    "forms/staff/sections.py",
    *(
        "services/staff/appointments.py",
        "services/catalog/import_appointments.py",
        "services/catalog/import_students.py",
        "services/catalog/import_users.py",
        "domain/bulk_appointments.py",
        "services/staff/bulk_appointments.py",
        "forms/staff/bulk_appointments.py",
        "services/staff/catalog_edits.py",
    ),
    "services/staff/sections.py",
    *("forms/accounts.py", "forms/base.py", "forms/enrollment.py", "forms/languages.py", "forms/search.py"),
    *("forms/staff/people.py", "forms/staff/confirmation.py", "forms/staff/dashboard.py"),
    *("forms/staff/roster.py", "services/staff/no_show.py", "services/staff/roster_email.py"),
    *("charts.py", "forms/staff/removals.py"),
    *("forms/sharing.py", "forms/timezone.py", "forms/tokens.py", "services/accounts/email_change.py"),
    *("services/notifications/messages.py", "services/accounts/password_policy.py"),
    *("services/enrollment/plan.py", "web/auth.py", "web/error_pages.py", "web/notices.py", "web/proxies.py"),
    *("web/page_of_origin.py", "web/retry.py"),
    *(path.relative_to(PACKAGE).as_posix() for path in sorted((PACKAGE / "pages").rglob("*.py"))),
]
"""Modules with texts for visitors; texts of the API and of commands stay in English."""

INTERNAL_TEXTS = {
    "error page failed: request_id=%s",
    "private, no-cache",
    "the address is confirmed",
    "the address is not confirmed",
    "the database does not answer",
    "the database is not up to date: run `upgrade-db`",
    "the database refused the request",
    "there is no such account",
}
"""Texts that only logs, caches, monitoring and the registrar's tools read."""

WORDS = re.compile(r"[a-z’]{2,}[,.:]? +[a-z]|^[A-Z][a-z’ ]+[.?]$")


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The sentences of the site, as `make translations` collects them."""
    found = re.search(r"^SENTENCES := (.*)$", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    assert found is not None
    pot = tmp_path_factory.mktemp("sentences") / "all.pot"
    mapping = ["-F", str(PROJECT / "pyproject.toml"), "-o", str(pot)]
    CommandLineInterface().run(["pybabel", "-q", "extract", *mapping, *shlex.split(found[1]), str(PACKAGE)])
    return _catalog(pot)


def _catalog(path: Path) -> Catalog:
    with open(path, "rb") as file:
        return read_po(file, locale=path.stem if path.suffix == ".po" else None)


def _ids(catalog: Catalog) -> set[tuple[str, ...]]:
    return {message.id if isinstance(message.id, tuple) else (message.id,) for message in catalog if message.id}


def test_no_sentence_is_inside_an_f_string() -> None:
    """Babel finds sentences there only on Python 3.12 and later, so 3.11 would drop them."""
    calls = [
        f"{path.relative_to(PACKAGE)}:{call.lineno}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for text in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(text, ast.JoinedStr)
        for call in ast.walk(text)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in TRANSLATING_CALLS
    ]
    assert calls == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_language_has_every_sentence_and_no_other(path: Path, sentences: Catalog) -> None:
    catalog = _catalog(path)
    assert _ids(catalog) == _ids(sentences), "make translations"
    assert not catalog.obsolete
    for message in catalog:
        if message.id:
            texts = message.string if isinstance(message.string, tuple) else (message.string,)
            assert all(texts), message.id
            assert not message.fuzzy, message.id


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_translations_fill_in_what_the_sentence_does(path: Path) -> None:
    catalog = _catalog(path)
    for message in catalog:
        assert not list(message.check(catalog)), message.id
        if isinstance(message.string, str) and message.id:
            assert sorted(PLACEHOLDER.findall(str(message.id))) == sorted(PLACEHOLDER.findall(message.string)), (
                message.id
            )


@pytest.mark.parametrize("spoken", language.known_languages())
def test_each_weekday_has_its_own_letter(spoken: str) -> None:
    with use_language(spoken):
        assert len(set(language.format_days("MTWRFSU"))) == 7


@pytest.mark.parametrize("name", MODULES_WITH_SENTENCES)
def test_every_sentence_is_translatable(name: str, sentences: Catalog) -> None:
    known = {text for ids in _ids(sentences) for text in ids}
    bare = [text for text, is_marked in _texts(PACKAGE / name) if not is_marked]
    assert bare == []
    assert {text for text, is_marked in _texts(PACKAGE / name) if is_marked} <= known


def _texts(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield each multi-word text of a module, and whether it is marked for translation."""
    tree = ast.parse(path.read_text())
    marked, aside = set(), set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in TRANSLATING_CALLS:
                marked |= {id(one) for one in node.args}
            case ast.Call(func=ast.Name(id="RuntimeError")) | ast.Call(func=ast.Attribute(attr="error" | "warning")):
                aside |= {id(one) for one in ast.walk(node)}
            case (
                ast.Call(func=ast.Name(id="cast" | "cached" | "cached_per_language" | "cached_per_catalog"))
                | ast.Expr(value=ast.Constant())
                | ast.AnnAssign()
                | ast.Assign(targets=[ast.Name(id="meaning")])  # the documentation of the API is in English
            ):
                aside |= {id(one) for one in ast.walk(node.args[0] if isinstance(node, ast.Call) else node)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in aside:
            continue
        if id(node) in marked or (WORDS.search(node.value) and node.value not in INTERNAL_TEXTS):
            yield node.value, id(node) in marked


@pytest.mark.parametrize(
    ("chosen", "accepted", "spoken"),
    [
        ("", "", "en"),
        ("", "es-MX,es;q=0.9,en;q=0.8", "es"),
        ("", "en-US,en;q=0.9,es;q=0.8", "en"),
        ("", "fr,es;q=0.5", "es"),
        ("", "fr", "en"),
        ("", "es;q=0, fr", "en"),
        ("", "; = ,,q=", "en"),
        ("es", "en", "es"),
        ("en", "es", "en"),
        ("xx", "es", "es"),
    ],
)
def test_the_chosen_language_takes_precedence_over_the_browsers(chosen: str, accepted: str, spoken: str) -> None:
    assert choose(chosen, accepted, ("en", "es")) == spoken


@pytest.mark.parametrize(
    ("accepted", "spoken"),
    [("en-GB,en;q=0.9", "en-GB"), ("en-AU,en;q=0.9", "en-GB"), ("en", "en")],
)
def test_readers_of_british_english_get_it_where_it_is_offered(accepted: str, spoken: str) -> None:
    assert choose("", accepted, ("en", "en-GB", "es")) == spoken
    assert choose("", accepted, ("en", "es")) == "en"


def test_british_english_differs_in_spelling_dates_and_times() -> None:
    opens = NotOpenYet("Fall 2026", Moment(datetime(2026, 9, 1, 7, tzinfo=UTC), "Europe/London"))
    assert opens.text == "Enrollment for Fall 2026 opens on Tuesday, September 1, 2026, 8:00 AM (Europe/London)."
    with use_language("en-GB"):
        assert opens.text == "Enrolment for Fall 2026 opens on Tuesday, 1 September 2026, 08:00 BST."
        assert (
            language.gettext("Enroll in <enroll>%(catalog)s, canceled", catalog="x") == "Enrol in <enroll>x, cancelled"
        )
        assert str(Meeting("TR", "11:30", "12:45")) == "TR 11:30–12:45"
        assert (language.format_hour(8), language.format_clock("13:00")) == ("08:00", "13:00")
    assert str(Meeting("TR", "11:30", "12:45")) == "TR 11:30 AM–12:45 PM"
    assert (language.format_hour(8), language.format_clock("13:00")) == ("8 AM", "1:00 PM")


def test_moments_are_in_the_readers_own_time_zone() -> None:
    ends_at = datetime(2026, 9, 16, 4, tzinfo=UTC)
    with language.use_timezone("America/Chicago"):
        assert str(Moment(ends_at, "America/New_York")) == "Tuesday, September 15, 2026, 11:00 PM CT"
        assert not LastDay(ends_at, "America/New_York").is_readers
    with language.use_timezone("America/Toronto"):
        assert LastDay(ends_at, "America/New_York").is_readers


def test_a_school_may_put_another_language_first() -> None:
    assert choose("", "fr", ("es", "en")) == "es"


def test_a_refusal_is_in_the_readers_language() -> None:
    refusal = NotOpenYet("Fall 2026", Moment(datetime(2026, 9, 1, 4, tzinfo=UTC), "America/New_York"))
    assert refusal.text == ("Enrollment for Fall 2026 opens on Tuesday, September 1, 2026, 12:00 AM ET.")
    with use_language("es"):
        assert refusal.text == (
            "La matrícula para Otoño 2026 se abre el martes, 1 de septiembre de 2026, 0:00 (America/New_York)."
        )


def test_plurals_lists_and_dates_are_localized() -> None:
    several = SectionFull("PYT 101", "01", can_wait=True, others=["02", "03"])
    with use_language("es"):
        assert several.text == (
            "PYT 101, sección 01, está completa. Las secciones 02 y 03 tienen plazas libres y encajan en tu "
            "horario. Puedes apuntarte a la lista de espera."
        )
        assert str(TermNeeded("PYT 101", ["Fall 2026", "Spring 2027"]).message).startswith(
            "PYT 101 está en tu horario para Otoño 2026 y Primavera 2027."
        )
        clash = TimeConflict("PYT 101", [("PHP 202", Meeting("MWR", "09:00", "09:50").when)] * 2)
        assert clash.text == " ".join(["PYT 101 coincide con PHP 202: LXJ 9:00–9:50."] * 2)
        assert [language.format_number(number) for number in (1234.5, 12345, 3.0)] == ["1.234,5", "12.345", "3"]
        assert [language.format_day_name(letter) for letter in "MU"] == ["lun", "dom"]
        assert language.format_day(date(2026, 12, 31)) == "31 dic 2026"
        assert [str(plural("%(number)s credit", "%(number)s credits", one)) for one in (1, 2, 0.5)] == [
            "1 crédito",
            "2 créditos",
            "0,5 créditos",
        ]


@pytest.mark.parametrize(
    ("name", "translated"),
    [
        ("Fall 2026", "Otoño 2026"),
        ("Fall, Spring", "Otoño, Primavera"),
        ("Fall/Spring 2027", "Otoño/Primavera 2027"),
        ("Spring, 2026FA", "Primavera, 2026FA"),
        ("Winter 2026/27", "Winter 2026/27"),
        ("Fall 2026 – first half", "Fall 2026 – first half"),
        ("Summer Session II", "Summer Session II"),
        ("Springfield", "Springfield"),
    ],
)
def test_seasons_are_translated_and_a_school_s_own_names_are_not(name: str, translated: str) -> None:
    with use_language("es"):
        assert language.format_term(name) == translated
    assert language.format_term(name) == name


def test_a_deadline_at_the_end_of_a_day_names_that_day() -> None:
    closed = Closed("Fall 2026", LastDay(datetime(2026, 12, 2, 5, tzinfo=UTC), "America/New_York"))
    assert closed.text == "Enrollment for Fall 2026 closed at the end of December 1, 2026 (ET)."
    with use_language("es"):
        assert closed.text == (
            "La matrícula para Otoño 2026 se cerró al final del 1 de diciembre de 2026 (America/New_York)."
        )


def test_a_sentence_that_was_stored_is_read_in_another_language() -> None:
    refusals = [
        NotOpenYet("Fall 2026", Moment(datetime(2026, 9, 1, 4, tzinfo=UTC), "UTC")),
        Closed("Fall 2026", LastDay(datetime(2026, 9, 1, 4, tzinfo=UTC), "America/New_York")),
        SectionFull("PYT 101", "01", can_wait=True, others=["02", "03"]),
        TimeConflict("PYT 101", [("PHP 202", Meeting("MWR", "09:00", "09:50").when)] * 2),
    ]
    for refusal in refusals:
        with use_language("es"):
            read = decode(encode(refusal.message))
        assert read == refusal.message
        assert str(read) == refusal.text


@pytest.mark.parametrize("stored", [None, "", 5, [], {}, {"message": 1}, {"term": "Fall 2026"}])
def test_an_unreadable_stored_sentence_is_ignored(stored: object) -> None:
    assert decode(stored) is None


def test_a_sentence_of_an_older_version_stays_as_it_is() -> None:
    with use_language("es"):
        assert str(decode("It is 100 % full.")) == "It is 100 % full."


@pytest.mark.parametrize(
    ("message", "values", "refusal"),
    [
        (
            "%(title)s has %(adds)s credits, and you have %(has)s already; the limit is %(limit)s.",
            {"title": "PYT 101", "adds": 3, "has": 16.5, "limit": 18},
            CreditLimit("PYT 101", adds=3, has=16.5, limit=18),
        ),
        (
            "%(title)s needs %(missing)s from an earlier term.",
            {"title": "PYT 101", "missing": ["PHP 202"]},
            PrerequisiteMissing("PYT 101", ["2222"], ["PHP 202"]),
        ),
    ],
)
def test_a_reworded_sentence_is_read_as_the_sentence_of_today(
    message: str, values: dict[str, object], refusal: Refused
) -> None:
    """Waitlisted students would be notified of the same reason again, and plans would fall back to English."""
    read = decode({"message": message, "plural": "", "values": values})
    assert read == refusal.message
    with use_language("es"):
        assert str(read) == refusal.text != message


def test_a_reworded_plural_is_read_as_the_plural_of_today() -> None:
    earlier = "%(others)s can’t be taken without %(title)s, and would be given back with it."
    stored = {
        "message": earlier,
        "plural": earlier,
        "values": {"number": 2, "others": ["PHP 202", "SQL 303"], "title": "PYT 101"},
    }
    assert decode(stored) == CorequisitesWouldGo("PYT 101", ["PHP 202", "SQL 303"], ["2222", "3333"]).message


def test_every_reworded_sentence_is_translated_and_has_the_same_values(sentences: Catalog) -> None:
    known = {text for ids in _ids(sentences) for text in ids}
    for earlier, current in [*REWORDED.items(), *REWORDED_PLURALS.items()]:
        assert earlier not in known
        assert current in known
        _, _, values = reword(earlier, "", dict.fromkeys(re.findall(r"%\((\w+)\)s", earlier), 1))
        assert set(values) == set(re.findall(r"%\((\w+)\)s", current)), earlier


def test_the_language_is_reset_after_its_block() -> None:
    with use_language("es"):
        assert str(Sentence("Home")) == "Inicio"
    assert str(Sentence("Home")) == "Home"


def test_the_wait_is_spelled_with_singular_and_plural_minutes() -> None:
    with use_language("es"):
        assert "Espera un minuto" in PleaseWait(timedelta(seconds=5)).text
        assert "Espera 3 minutos" in PleaseWait(timedelta(minutes=3)).text

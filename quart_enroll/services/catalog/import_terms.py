"""Imports terms: all rows of a file, or none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import terms as stored_terms
from quart_enroll.db.queries import import_guards, term_expiry
from quart_enroll.domain import terms
from quart_enroll.domain.errors import RowProblem
from quart_enroll.domain.models import Term
from quart_enroll.i18n.language import Sentence
from quart_enroll.services.catalog.import_checks import keep_missing_fields, refuse, refuse_duplicates
from quart_enroll.services.catalog.import_results import ImportResult, RowChange, field_changes
from quart_enroll.services.catalog.import_transactions import SYSTEM, ImportAuthor, run_catalog_import

OPTIONAL_TERM_FIELDS = (
    *("max_credits", "timezone", "starts_on", "ends_on", "open_enrollment_at"),
    "in_progress_counts",
)
"""Fields that keep their stored values if the file lacks their columns."""


@dataclass(frozen=True, slots=True)
class ImportedTerm:
    """A term from row `number` of a file; OPTIONAL_TERM_FIELDS that are not `given` keep their stored values."""

    number: int
    term: Term
    given: frozenset[str]


async def known_terms(db: Database) -> list[Term]:
    """Return all terms of the school."""
    return await stored_terms.find_all(db)


async def import_terms(
    db: Database,
    rows: Sequence[ImportedTerm],
    now: datetime,
    *,
    dry_run: bool = False,
    author: ImportAuthor = SYSTEM,
) -> ImportResult:
    """Store terms by name, in any spelling of those that exist.

    Raises InvalidRows for duplicates, and for deadlines that contradict the first or last day of their term.
    """
    rows = _with_stored_names(rows, await stored_terms.find_all(db))
    refuse_duplicates(rows, lambda row: row.term.term, "term")

    async def body(session: Session) -> ImportResult:
        before = {row.term.term: await stored_terms.find(db, row.term.term, session) for row in rows}
        after = [keep_missing_fields(row.term, before[row.term.term], row.given, OPTIONAL_TERM_FIELDS) for row in rows]
        _refuse_contradictions(rows, after)
        changed = [term.term for term in after if before[term.term] not in (None, term)]
        known = {term.term: term for term in await stored_terms.find_all(db, session)}
        reordered = _with_other_earlier_terms(known, known | {term.term: term for term in after})
        await import_guards.guard_terms(db, reordered.union(changed), session)
        students = await import_guards.count_enrolled_students(db, changed, session)
        written = await stored_terms.put_all(db, after, session)
        for term in after:
            if (old := before[term.term]) is not None and old.withdraw_deadline != term.withdraw_deadline:
                await term_expiry.set_expiry(db, term.term, term.withdraw_deadline, session)
        changes = [
            RowChange(row.number, term.term, field_changes(old, term), students.get(term.term, 0))
            for row, term in zip(rows, after, strict=True)
            if (old := before[term.term]) is not None and old != term
        ]
        new_rows = [row.number for row in rows if before[row.term.term] is None]
        return ImportResult(*written, len(rows) - sum(written), changes, new_rows=new_rows)

    return await run_catalog_import(db, body, now, dry_run=dry_run, author=author) if rows else ImportResult(0, 0, 0)


def _with_stored_names(rows: Sequence[ImportedTerm], known: Sequence[Term]) -> list[ImportedTerm]:
    """Give each term its stored name, or else its first spelling in the file."""
    names = {terms.key(term.term): term.term for term in known}
    return [
        replace(row, term=replace(row.term, term=names.setdefault(terms.key(row.term.term), row.term.term)))
        for row in rows
    ]


def _with_other_earlier_terms(old: Mapping[str, Term], new: Mapping[str, Term]) -> set[str]:
    """Return the old terms that now follow other terms, which changes who meets their courses' prerequisites."""

    def earlier(terms: Mapping[str, Term], term: Term) -> set[str]:
        return {one.term for one in terms.values() if one.comes_before(term)}

    return {name for name, term in old.items() if earlier(old, term) != earlier(new, new[name])}


def _refuse_contradictions(rows: Sequence[ImportedTerm], after: Sequence[Term]) -> None:
    """Raise InvalidRows for deadlines that contradict the first or last day of their term."""
    problems = []
    for row, term in zip(rows, after, strict=True):
        if term.starts_on and term.local(term.withdraw_deadline - timedelta.resolution).date() < term.starts_on:
            sentence = Sentence("Courses begin on %(day)s, leaving no time to withdraw.", day=str(term.starts_on))
            problems.append(RowProblem(row.number, sentence, "withdraw_deadline"))
        for name in ("add_deadline", "drop_deadline"):
            last_day = term.local(getattr(term, name) - timedelta.resolution).date()
            if term.ends_on and last_day > term.ends_on:
                sentence = Sentence("Courses end on %(day)s, before this deadline.", day=str(term.ends_on))
                problems.append(RowProblem(row.number, sentence, name))
    refuse(problems)

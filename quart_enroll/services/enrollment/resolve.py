"""What a student means: which section, which term, which seat goes for another one."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from quart_enroll.db.client import Database
from quart_enroll.db.collections import courses, enrollments
from quart_enroll.db.collections import terms as stored_terms
from quart_enroll.db.queries import section_facts
from quart_enroll.domain import rules, terms
from quart_enroll.domain.catalog import Catalog, pick_section
from quart_enroll.domain.errors import (
    AlreadyEnrolled,
    NotEnrolled,
    NoTerms,
    Refused,
    TermNeeded,
    UnknownCourse,
    UnknownSection,
)
from quart_enroll.domain.models import Registration, SectionKey, SectionRequest, Term
from quart_enroll.services.enrollment.seat_changes import Offer


async def sections_meant(
    db: Database, user_id: int, wish: SectionRequest, now: datetime, given_up: str | None = None
) -> list[Offer]:
    """Return the sections to try in turn: the one that was named, else those with a seat that fits, by number."""
    course, known, offered = await section_facts.find_course(db, wish.courseID)
    if course is None:
        raise UnknownCourse(wish.courseID)
    term = terms.choose(course, known, {section.term for section in offered}, wish.term, now)
    found = [Offer(term, course, section) for section in offered if section.term == term.term]
    if wish.section:
        named = pick_section([option.section for option in found], wish.section)
        if named is None:
            raise UnknownSection(course.title, wish.section, term.term)
        return [Offer(term, course, named)]
    held = await enrollments.find_in_term(db, user_id, term.term)
    if given_up == wish.courseID and (own := [option for option in found if option.key in _seats(held)]):
        return own  # any section will do, so the one they have: else the same request again would be the way back
    held = [one for one in held if one.courseID != given_up]
    fitting = [option for option in found if rules.fits(term, course, option.section, held)]
    with_seat = [option for option in fitting if option.section.open_seats]
    return with_seat or fitting[:1] or [option for option in found if option.section.open_seats][:1] or found[:1]


def at_hand(catalog: Catalog | None, wish: SectionRequest, now: datetime) -> list[Offer]:
    """Return the section that was named, if it has an open seat in the catalog; nothing where one must look closer."""
    if catalog is None or not wish.section or (course := catalog.find(wish.courseID)) is None:
        return []
    try:
        term = terms.choose(course, catalog.terms, catalog.terms_of(course.courseID), wish.term, now)
    except Refused:
        return []
    section = catalog.section_meant(course.courseID, term.term, wish.section)
    return [Offer(term, course, section)] if section is not None and section.open_seats else []


async def section_meant(db: Database, user_id: int, wish: SectionRequest, now: datetime, given_up: str | None) -> Offer:
    """Return the section that the student means, the best of them when none is named."""
    return (await sections_meant(db, user_id, wish, now, given_up))[0]


async def term_meant(
    db: Database, wish: SectionRequest, title: str, has: Collection[str], now: datetime
) -> Term | None:
    """Return the term of what the student gives back: the named one, else the only one where the student `has` it.

    That is looked for among the terms in which something can still be done; None when the student has it in none
    of them, TermNeeded when in several. A guess would let the same request, sent again, mean the next term.
    """
    known = await stored_terms.find_all(db)
    if not known:
        raise NoTerms
    among = terms.coming(known, now)
    if wish.term:
        among = terms.named(wish.term, among) or [terms.find(wish.term, known, now)]
        if len(among) == 1:
            return among[0]
    meant = [term for term in among if term.term in has]
    if len(meant) > 1:
        raise TermNeeded(title, [term.term for term in meant])
    return meant[0] if meant else None


async def given_up_for(db: Database, held: Sequence[Registration], given_up: str, wanted: Offer) -> Registration:
    """Return what the student gives up for the other seat; a swap that was done before says so."""
    for one in held:
        if one.courseID == given_up and one.status == "enrolled":
            if one.section.key == wanted.key:
                raise AlreadyEnrolled(wanted.course.title, wanted.term.term)
            return one
    rules.check_new(wanted.term, wanted.course, held)
    course = await courses.find(db, given_up)
    raise NotEnrolled(course.title if course else given_up, wanted.term.term)


def _seats(held: Iterable[Registration]) -> set[SectionKey]:
    return {one.section.key for one in held if one.status == "enrolled"}

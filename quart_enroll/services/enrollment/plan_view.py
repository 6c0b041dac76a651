"""A plan as the API returns it: each planned section and the reasons why the student can't enroll in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from quart_enroll.db.client import Database
from quart_enroll.db.collections import plans
from quart_enroll.domain import permits, terms
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import PlannedSection, Section, SectionKey, Term
from quart_enroll.i18n.language import Sentence
from quart_enroll.services.enrollment import plan_check
from quart_enroll.services.enrollment.candidates import Candidate, load_candidates


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """A planned section; there is no `candidate` for one that the school no longer offers.

    The `problems` are the reasons why the student can't enroll in it, or in the `substitute` that the student would get
    instead.
    """

    planned: PlannedSection
    candidate: Candidate | None = None
    problems: Sequence[Sentence] = ()
    substitute: Section | None = None

    @property
    def state(self) -> str:
        """Return "planned", "enrolled", "waiting" for the section, or "not_offered"."""
        if self.candidate is None:
            return "not_offered"
        if self.candidate.is_enrolled:
            return "enrolled"
        entry = self.candidate.waitlist_entry
        return "waiting" if entry and entry.key == self.planned.key else "planned"


async def read(
    db: Database, user_id: int, term_name: str, now: datetime, catalog: Catalog
) -> tuple[Term, list[PlanEntry]]:
    """Return the term that the name means and the student's plan for it; raise UnknownTerm or NoTerms."""
    term = terms.find(term_name, catalog.terms, now)
    planned = await plans.find_by_student(db, user_id, term.term)
    wanted = [(user_id, one.key) for one in planned]
    found = await load_candidates(db, wanted, None) if wanted else []
    pairs = [
        (one, candidate) for one, candidate in zip(planned, found, strict=True) if isinstance(candidate, Candidate)
    ]
    offered = _with_problems(pairs, now, catalog)
    return term, [offered.get(one.key) or PlanEntry(one) for one in planned]


def _with_problems(
    found: Sequence[tuple[PlannedSection, Candidate]], now: datetime, catalog: Catalog
) -> Mapping[SectionKey, PlanEntry]:
    if not found:
        return {}
    first = found[0][1]
    enrolled = [one for one in first.registrations if one.status == "enrolled"]
    offerings = [(planned, replace(one.offering, term=one.own_term(now))) for planned, one in found]
    granted = permits.in_effect(first.permits, now)
    checked = plan_check.check(offerings, enrolled, first.taken_courses, first.attributes, granted, now, catalog)
    return {
        planned.key: PlanEntry(planned, one.with_section(of.wanted.section), of.problems, of.substitute)
        for (planned, one), of in zip(found, checked, strict=True)
    }

"""A plan as the API returns it: each planned section and the reasons why the student can't enroll in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from quart_enroll.db.client import Database
from quart_enroll.db.collections import plans
from quart_enroll.domain import permits, terms
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import PlannedSection, Section, SectionKey, Term
from quart_enroll.i18n.language import Sentence
from quart_enroll.services.enrollment import plan_refit
from quart_enroll.services.enrollment.candidates import Candidate, Offering, load_candidates
from quart_enroll.services.enrollment.plan import find_problems


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
    offered = _with_problems(pairs, term, now, catalog)
    return term, [offered.get(one.key) or PlanEntry(one) for one in planned]


def _with_problems(
    found: Sequence[tuple[PlannedSection, Candidate]], term: Term, now: datetime, catalog: Catalog
) -> Mapping[SectionKey, PlanEntry]:
    if not found:
        return {}
    first = found[0][1]
    enrolled = [one for one in first.registrations if one.status == "enrolled"]
    refitted = plan_refit.refit(
        [(planned, one.offering) for planned, one in found],
        lambda key: catalog.sections_in(key.courseID, key.term),
        enrolled,
        first.taken_courses,
        max(now, term.opens_at),
    )
    wanted = [one.with_section(refitted.get(planned.key, one.offering.section)) for planned, one in found]
    others = [one.offering.section for one in wanted]
    problems = find_problems([_eased(one, others, now) for one in wanted], enrolled, first.taken_courses)
    return {
        planned.key: PlanEntry(planned, one, against, refitted.get(planned.key))
        for (planned, one), against in zip(found, problems, strict=True)
    }


def _eased(candidate: Candidate, others: Sequence[Section], now: datetime) -> Offering:
    """Return the planned offering as it would be if the rules were met that the student's permits set aside."""
    offering = candidate.offering
    allowed = candidate.permitted(now, others=[one for one in others if one is not offering.section])
    return Offering(*permits.ease(offering.term, offering.course, offering.section, allowed))

"""What would come of a plan now: the section that each planned course would get, and the reasons against it."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from quart_enroll.domain import permits
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import PlannedSection, Registration, Section, SectionKey, TakenCourse
from quart_enroll.domain.permits import Permit
from quart_enroll.domain.student_attributes import StudentAttributes
from quart_enroll.i18n.language import Sentence
from quart_enroll.services.enrollment.candidates import Offering
from quart_enroll.services.enrollment.plan import find_problems
from quart_enroll.services.enrollment.plan_refit import refit


class CheckedSection(NamedTuple):
    """A planned section, the `substitute` that the student would get instead, and the reasons against the one that the
    student would get."""

    planned: PlannedSection
    offering: Offering
    substitute: Section | None
    problems: Sequence[Sentence]

    @property
    def wanted(self) -> Offering:
        """What the student would get."""
        return replace(self.offering, section=self.substitute) if self.substitute else self.offering


def check(
    found: Sequence[tuple[PlannedSection, Offering]],
    enrolled: Sequence[Registration],
    taken: Sequence[TakenCourse],
    attributes: StudentAttributes,
    granted: Sequence[Permit],
    now: datetime,
    catalog: Catalog,
) -> list[CheckedSection]:
    """Check the planned sections of one term, as they are now or when enrollment opens.

    Permits that are `granted` and in effect set rules aside.
    """
    if not found:
        return []

    def sections_of(key: SectionKey) -> Sequence[Section]:
        return catalog.sections_in(key.courseID, key.term)

    substitutes = refit(found, sections_of, enrolled, taken, attributes, granted, max(now, found[0][1].term.opens_at))
    checked = [CheckedSection(planned, offering, substitutes.get(planned.key), ()) for planned, offering in found]
    wanted = [one.wanted for one in checked]
    problems = find_problems([_ease(one, wanted, enrolled, granted) for one in wanted], enrolled, taken, attributes)
    return [one._replace(problems=against) for one, against in zip(checked, problems, strict=True)]


def _ease(
    offering: Offering, wanted: Sequence[Offering], enrolled: Sequence[Registration], granted: Collection[Permit]
) -> Offering:
    """Return the offering as it would be if the rules were met that the student's permits set aside."""
    if not granted:
        return offering
    others = [*(one.section for one in enrolled), *(one.section for one in wanted if one is not offering)]
    allowed = permits.permitted(granted, offering.section, others)
    return Offering(*permits.ease(offering.term, offering.course, offering.section, allowed))

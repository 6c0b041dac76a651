"""What staff may decide about a section."""

from collections.abc import Mapping

from quart_enroll.domain import pools
from quart_enroll.domain.models import Consent, Section, SectionStatus
from quart_enroll.i18n.language import Sentence

STATUS_NAMES: Mapping[SectionStatus, Sentence] = {
    SectionStatus.ACTIVE: Sentence("Active"),
    SectionStatus.TENTATIVE: Sentence("Tentative"),
    SectionStatus.CLOSED: Sentence("Closed to new students"),
    SectionStatus.CANCELLED: Sentence("Canceled"),
}

CONSENT_NAMES: Mapping[Consent, Sentence] = {
    Consent.NONE: Sentence("Not required"),
    Consent.INSTRUCTOR: Sentence("The instructor’s"),
    Consent.DEPARTMENT: Sentence("The department’s"),
}
"""Whose consent a student needs, in the words of staff."""

ANNOUNCED_FIELDS = ("meetings", "instructor", "room", "status")
"""The fields whose changes are told to the students of the section."""

WITHOUT_STUDENTS = (SectionStatus.TENTATIVE, SectionStatus.CANCELLED)
"""The statuses of sections that have no students and no waitlist."""


def is_announced(old: Section, new: Section) -> bool:
    """Return whether the students of the section are told about this change."""
    return any(getattr(old, name) != getattr(new, name) for name in ANNOUNCED_FIELDS)


def find_faults(section: Section, old: Section | None = None) -> Mapping[str, Sentence]:
    """Return the fields that can't be stored in place of the `old` section, each with the reason."""
    faults = {}
    if section.status in WITHOUT_STUDENTS and (section.seats_taken or section.waiting):
        faults["status"] = Sentence(
            "Students are enrolled or waiting. Close the section, or cancel it on its own page."
        )
    if fault := pools.find_fault(section.pools, old.pools if old else (), section.capacity):
        faults["pools" if old is None or section.pools != old.pools else "capacity"] = fault
    return faults

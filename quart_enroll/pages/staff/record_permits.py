"""The permits on a student's record, in words."""

from dataclasses import dataclass

from quart import current_app

from quart_enroll.domain import moments
from quart_enroll.domain.permits import Permit
from quart_enroll.i18n.language import format_moment, gettext
from quart_enroll.pages.staff.permits import overrides_text, revoke_url
from quart_enroll.services.staff import named_records
from quart_enroll.services.staff import permits as service
from quart_enroll.state import database, now


@dataclass(frozen=True, slots=True)
class PermitEntry:
    """A permit with its facts in words; `revoke_url` is empty for one that can't be revoked."""

    permit: Permit
    section: str
    state: str
    what: str
    until: str
    granted: str
    author: str
    reason: str
    revoke_url: str


async def entries(user_id: int) -> list[PermitEntry]:
    """Return all permits of the student, the latest first."""
    moment, zone = now(), current_app.config["TIMEZONE"]
    found = await named_records.add_names(database(), await service.find_of_student(database(), user_id))
    return [
        PermitEntry(
            one.record.permit,
            _section_text(one.record.permit),
            str(one.record.state(moment)),
            overrides_text(one.record),
            _until(one.record.permit, zone),
            format_moment(one.record.at, zone),
            one.author_name_or_id,
            one.record.reason,
            revoke_url(one.record) if one.record.is_usable(moment) else "",
        )
        for one in found
    ]


def _section_text(permit: Permit) -> str:
    return gettext("section %(section)s", section=permit.section) if permit.section else gettext("all sections")


def _until(permit: Permit, zone: str) -> str:
    if permit.expires_at is None:
        return ""
    return gettext("until %(ends)s", ends=moments.localized_end(permit.expires_at, zone))

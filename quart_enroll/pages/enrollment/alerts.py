"""Asking to be told of a seat, and no more."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from quart import flash, redirect, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.errors import Refused
from quart_enroll.domain.models import SectionKey
from quart_enroll.forms.enrollment import EnrollForm
from quart_enroll.i18n.language import gettext
from quart_enroll.pages.catalog.section_actions import Button, alert_button
from quart_enroll.pages.refusals import flash_refusal, malformed, row_address
from quart_enroll.services.enrollment import alerts
from quart_enroll.state import catalog, database, enrollment_context, now
from quart_enroll.web import auth


@dataclass(frozen=True, slots=True)
class Alert:
    """A section of which a student wants to hear."""

    key: SectionKey
    title: str
    button: Button


async def ask() -> ResponseReturnValue:
    form = await EnrollForm.from_request()
    if not form.validate():
        return await malformed(form)
    wish = form.wish()
    try:
        wish = (await catalog()).resolve(wish)
        offering = await alerts.add(enrollment_context(), auth.signed_in().user_id, wish, now())
    except Refused as refusal:
        return await flash_refusal(refusal, row_address(wish, url_for("enrollment")))
    done = gettext(
        "We’ll notify you when a seat in %(title)s, section %(section)s, opens to everyone.",
        title=offering.course.title,
        section=offering.key.section,
    )
    await flash(done, "success")
    return redirect(row_address(wish, url_for("enrollment")), 303)


async def end() -> ResponseReturnValue:
    form = await EnrollForm.from_request()
    if not form.validate():
        return await malformed(form)
    wish = form.wish()
    await alerts.remove(database(), auth.signed_in().user_id, SectionKey(wish.term, wish.courseID, wish.section))
    course = (await catalog()).find(wish.courseID)
    title = course.title if course else wish.courseID
    done = gettext("Alert removed for %(title)s, section %(section)s.", title=title, section=wish.section)
    await flash(done, "success")
    return redirect(row_address(wish, url_for("enrollment")), 303)


def shown(
    asked: Iterable[SectionKey], offered: Catalog, moment: datetime, seated: Sequence[SectionKey] = ()
) -> list[Alert]:
    """Return what the student wants to hear of while seats can be taken, where the student is not seated."""
    open_terms = {term.term for term in offered.terms if term.is_open(moment)}
    return [
        Alert(key, course.title, alert_button(course.title, key, asked=True))
        for key in asked
        if key not in seated and key.term in open_terms and (course := offered.find(key.courseID))
    ]

"""Alerts: a student sets one for a full section to hear when a seat opens, or removes it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from quart import flash, redirect, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import SectionKey, SectionRequest
from quart_enroll.forms.enrollment import EnrollForm
from quart_enroll.i18n.language import gettext
from quart_enroll.pages.catalog.section_actions import Button, alert_button
from quart_enroll.pages.form_views import row_url, section_form, to_row_or_page, valid_form
from quart_enroll.services.enrollment import alerts
from quart_enroll.state import catalog, database, enrollment_context, now
from quart_enroll.web import auth


@dataclass(frozen=True, slots=True)
class AlertRow:
    """A section for which the student has set an alert."""

    key: SectionKey
    title: str
    button: Button


@section_form(EnrollForm, refused_to=to_row_or_page("enrollment"))
async def add(_form: EnrollForm, requested: SectionRequest) -> ResponseReturnValue:
    offering = await alerts.add(enrollment_context(), auth.signed_in().user_id, requested, now())
    done = gettext(
        "We’ll notify you when a seat in %(title)s, section %(section)s, opens to everyone.",
        title=offering.course.title,
        section=offering.key.section,
    )
    await flash(done, "success")
    return redirect(row_url(requested, url_for("enrollment")), 303)


@valid_form(EnrollForm)
async def remove(form: EnrollForm) -> ResponseReturnValue:
    removed = form.section_request()
    await alerts.remove(
        database(), auth.signed_in().user_id, SectionKey(removed.term, removed.courseID, removed.section)
    )
    course = (await catalog()).find(removed.courseID)
    title = course.title if course else removed.courseID
    done = gettext("Alert removed for %(title)s, section %(section)s.", title=title, section=removed.section)
    await flash(done, "success")
    return redirect(row_url(removed, url_for("enrollment")), 303)


def rows(
    alert_keys: Iterable[SectionKey], offered: Catalog, moment: datetime, enrolled: Sequence[SectionKey] = ()
) -> list[AlertRow]:
    """Return the alerts of terms that are open, without sections in which the student is enrolled."""
    open_terms = {term.term for term in offered.terms if term.is_open(moment)}
    return [
        AlertRow(key, course.title, alert_button(course.title, key, is_set=True))
        for key in alert_keys
        if key not in enrolled and key.term in open_terms and (course := offered.find(key.courseID))
    ]

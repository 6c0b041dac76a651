"""Asking to be told of a seat, and no more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from quart import flash, redirect, url_for
from quart.typing import ResponseReturnValue
from quart_auth import login_required

from quart_enroll import auth
from quart_enroll.context import catalog, database, now
from quart_enroll.errors import Refused
from quart_enroll.forms.enrollment import EnrollForm
from quart_enroll.language import gettext
from quart_enroll.models import SectionKey
from quart_enroll.pages.choices import Button, alert_button
from quart_enroll.pages.refusals import malformed, row_address, told
from quart_enroll.repositories import alerts as stored
from quart_enroll.services import alerts


@dataclass(frozen=True, slots=True)
class Alert:
    """A section of which a student wants to hear."""

    key: SectionKey
    title: str
    button: Button


@login_required
async def ask() -> ResponseReturnValue:
    form = await EnrollForm.from_request()
    if not form.validate():
        return await malformed(form)
    wish = form.wish()
    try:
        offer = await alerts.ask(database(), auth.signed_in().user_id, wish, now())
    except Refused as refusal:
        return await told(refusal, row_address(wish, url_for("enrollment")))
    done = gettext(
        "We tell you as soon as a seat in %(title)s, section %(section)s is open to everybody.",
        title=offer.course.title,
        section=offer.key.section,
    )
    await flash(done, "success")
    return redirect(row_address(wish, url_for("enrollment")), 303)


@login_required
async def end() -> ResponseReturnValue:
    form = await EnrollForm.from_request()
    if not form.validate():
        return await malformed(form)
    wish = form.wish()
    await alerts.end(database(), auth.signed_in().user_id, SectionKey(wish.term, wish.courseID, wish.section))
    course = (await catalog()).find(wish.courseID)
    title = course.title if course else wish.courseID
    done = gettext(
        "We will not tell you of seats in %(title)s, section %(section)s.", title=title, section=wish.section
    )
    await flash(done, "success")
    return redirect(row_address(wish, url_for("enrollment")), 303)


async def shown(user_id: int, moment: datetime, seated: Sequence[SectionKey] = ()) -> list[Alert]:
    """Return what the student wants to hear of while seats can be taken, where the student is not seated."""
    asked = [key for key in await stored.of_student(database(), user_id) if key not in seated]
    if not asked:
        return []
    offered = await catalog()
    open_terms = {term.term for term in offered.terms if term.is_open(moment)}
    titles = {course.courseID: course.title for course in offered.courses}
    return [
        Alert(key, title, alert_button(title, key, asked=True))
        for key in asked
        if key.term in open_terms and (title := titles.get(key.courseID, ""))
    ]

"""The school's accounts: a list, and a page for each with the values that registrars set."""

import asyncio
from collections.abc import Sequence

from quart import Response, abort, flash, redirect, request, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain.errors import (
    AccountGone,
    EditConflict,
    LastRegistrar,
    NotAnAdvisor,
    Refused,
)
from quart_enroll.domain.models import Profile, User
from quart_enroll.domain.roles import Role
from quart_enroll.domain.search import all_subjects
from quart_enroll.domain.student_attributes import ATTRIBUTE_NAMES, NO_ATTRIBUTES
from quart_enroll.forms.attributes import attribute_texts
from quart_enroll.forms.staff.people import PeopleForm, PersonForm
from quart_enroll.i18n.language import Sentence, gettext
from quart_enroll.pages.form_errors import show_beside
from quart_enroll.pages.paging import page_url
from quart_enroll.pages.staff import effects
from quart_enroll.pages.staff.effects import EffectLine
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.pages.staff.listing import Column, Listing, Sort, export, requested_format
from quart_enroll.pages.staff.people_page import attribute_columns, people_page
from quart_enroll.pages.staff.person_effects import describe_changes, describe_effects
from quart_enroll.services.staff import people as accounts
from quart_enroll.state import catalog, database, enrollment_context, now, user_cache
from quart_enroll.web import auth
from quart_enroll.web.compression import RenderedPage

MENU_ENTRY = "staff_people"

LISTING: Listing[User] = Listing(
    "people",
    [
        Column(
            "name",
            Sentence("Name"),
            lambda user: user.name_for_staff or user.email,
            url=lambda user: url_for("staff_person", user_id=user.user_id),
            is_sortable=True,
        ),
        Column("user_id", Sentence("ID"), lambda user: str(user.user_id), is_sortable=True),
        Column("email", Sentence("Email"), lambda user: user.email),
        Column("roles", Sentence("Roles"), lambda user: ", ".join(map(str, user.role_names))),
        Column("subjects", Sentence("Subjects"), lambda user: ", ".join(user.subjects), only_in_files=True),
        Column("advisors", Sentence("Advisors"), lambda user: " ".join(map(str, user.advisors)), only_in_files=True),
        *attribute_columns(),
        Column(
            "directory",
            Sentence("Directory"),
            lambda user: Sentence("Opted out of the directory") if user.directory_opt_out else "",
        ),
    ],
    default_sort=Sort("name"),
)


async def people() -> RenderedPage | Response:
    form = PeopleForm.from_query(request.args)
    sort, for_file = LISTING.sort, bool(requested_format())
    with_opted_out = not for_file or "opted_out" in request.args
    wanted = form.wanted(sort.key, descending=sort.descending, with_opted_out=with_opted_out)
    if for_file:
        return await export(LISTING, accounts.batches(database(), wanted))
    page = await people_page(wanted)
    return render_staff("staff/people.html", MENU_ENTRY, form=form, listing=LISTING, page=page, page_url=page_url)


async def person(user_id: int) -> ResponseReturnValue:
    found = await accounts.find(database(), user_id) or abort(404)
    if request.method != "POST":
        return await _person_page(found, await _stored_form(found))
    form = await _offer_subjects(found)
    if not form.validate():
        return await _person_page(found, form), 422
    try:
        wanted = await _wanted(form, found)
        is_confirmed = "confirmed" in await request.form
        done = await accounts.change_profile(
            enrollment_context(),
            auth.signed_in(),
            user_id,
            wanted,
            now(),
            seen=form.seen.data or "",
            preview=not is_confirmed,
        )
    except accounts.NotPermitted:
        abort(403)
    except AccountGone:
        abort(404)
    except EditConflict as refusal:
        return await _show_conflict(user_id, form, refusal), 422
    except Refused as refusal:
        _show_refusal(form, refusal)
        return await _person_page(found, form), 422
    lines = await effects.of_gained_seats(database(), done.gained, is_preview=not is_confirmed)
    if wanted == Profile.of(found) or is_confirmed:
        user_cache().invalidate(user_id)
        saved = gettext("Saved the changes for %(name)s.", name=found.full_name)
        await flash(f"{saved} {effects.as_text(lines)}".strip(), "success")
        return redirect(url_for("staff_person", user_id=user_id), 303)
    return await _preview_page(found, wanted, lines)


async def _stored_form(found: User) -> PersonForm:
    advisors = await accounts.find_many(database(), found.advisors)
    return await _offer_subjects(
        found,
        seen=Profile.of(found).fingerprint,
        roles=[*found.roles],
        subjects=[*found.subjects],
        advisors=" ".join(advisor.email for advisor in advisors),
        directory_opt_out=found.directory_opt_out,
        **attribute_texts(found.attributes),
    )


async def _offer_subjects(found: User, **values: object) -> PersonForm:
    """Return the form, with the subjects of the catalog, and with those that the person has."""
    return await PersonForm.for_subjects(sorted({*all_subjects(await catalog()), *found.subjects}), **values)


async def _wanted(form: PersonForm, found: User) -> Profile:
    """Return what the form says; raise NotAnAdvisor."""
    advisors = await accounts.find_advisors(database(), form.advisor_names)
    return Profile(
        form.chosen_roles,
        tuple(sorted(form.subjects.data or ())),
        advisors,
        bool(form.directory_opt_out.data),
        form.attributes(found.attributes),
    )


def _show_refusal(form: PersonForm, refusal: Refused) -> None:
    field = form.advisors if isinstance(refusal, NotAnAdvisor) else form.roles
    show_beside(field, refusal)
    if isinstance(refusal, LastRegistrar):  # its own sentence is about deleting one's account
        field.errors = [gettext("This is the only registrar. Make someone else a registrar first.")]


async def _show_conflict(user_id: int, form: PersonForm, refusal: EditConflict) -> RenderedPage:
    """Return the form as it was filled in, with the values that someone else has saved meanwhile."""
    found = await accounts.find(database(), user_id) or abort(404)
    form.seen.data = Profile.of(found).fingerprint
    form.form_errors = [refusal.text]
    mine = await _wanted(form, found)
    saved = describe_changes(Profile.of(found), mine, await _names(found, mine))
    return await _person_page(found, form, saved=saved)


async def _person_page(found: User, form: PersonForm, **variables: object) -> RenderedPage:
    has_attributes = found.attributes != NO_ATTRIBUTES or any(form[name].errors for name in ATTRIBUTE_NAMES)
    is_student = has_attributes or Role.STUDENT in found.roles
    return render_staff(
        "staff/person.html",
        MENU_ENTRY,
        person=found,
        form=form,
        is_student=is_student,
        has_attributes=has_attributes,
        **variables,
    )


async def _preview_page(found: User, wanted: Profile, lines: Sequence[EffectLine]) -> RenderedPage:
    """Return a page that says what saving will do, with a button that does it; the `lines` say who gets a seat."""
    before = Profile.of(found)
    names, advisees = await asyncio.gather(_names(found, wanted), accounts.count_advisees(database(), found.user_id))
    sent = [(name, value) for name, value in (await request.form).items(multi=True) if name != "csrf_token"]
    return render_staff(
        "staff/person_preview.html",
        MENU_ENTRY,
        person=found,
        changes=describe_changes(before, wanted, names),
        effects=describe_effects(before, wanted, advisees, is_self=found.user_id == auth.signed_in().user_id),
        lines=lines,
        repeated=sent,
    )


async def _names(found: User, wanted: Profile) -> dict[int, str]:
    """Return the names of the advisors, before and after, by user_id."""
    advisors = await accounts.find_many(database(), {*found.advisors, *wanted.advisors})
    return {advisor.user_id: advisor.full_name for advisor in advisors}

"""People and their roles, subjects and advisors, which registrars set."""

from quart import Response, abort

from quart_enroll.api.v1 import cursors
from quart_enroll.api.v1.json_views import respond, responds_with, takes_body, takes_query
from quart_enroll.api.v1.staff.people_schemas import EditPersonBody, PersonPage, PersonQuery, PersonSchema
from quart_enroll.domain.errors import AccountGone, WrongFields
from quart_enroll.domain.models import PeopleFilter, Profile
from quart_enroll.domain.roles import STAFF_ROLES, read_roles
from quart_enroll.domain.search import all_subjects
from quart_enroll.forms.staff.people import PersonForm
from quart_enroll.services.staff import people as service
from quart_enroll.state import catalog, database, enrollment_context, now, user_cache
from quart_enroll.web import auth


@responds_with(PersonPage)
@takes_query(PersonQuery)
async def people(query: PersonQuery) -> Response:
    """List people with their roles."""
    after = cursors.decode_user_id(query.cursor)
    roles = STAFF_ROLES if query.role == "staff" else read_roles([query.role])
    wanted = PeopleFilter(tuple(query.q.split()), roles, order="user_id")
    found = await service.find_after(database(), wanted, after, limit=query.limit + 1)
    page = found[: query.limit]
    next_cursor = cursors.encode(page[-1].user_id) if len(found) > query.limit else None
    return respond(PersonPage([PersonSchema.of(one) for one in page], next_cursor))


@responds_with(PersonSchema, problems=(404,))
async def person(user_id: int) -> Response:
    """Get a person with roles, subjects and advisors."""
    return respond(PersonSchema.of(await service.find(database(), user_id) or abort(404)))


@responds_with(PersonSchema, problems=(404, 409))
@takes_body(EditPersonBody)
async def edit_person(body: EditPersonBody, user_id: int) -> Response:
    """Set a person's roles, subjects, advisors and attributes."""
    found = await service.find(database(), user_id) or abort(404)
    wanted = body.applied_to(Profile.of(found))
    form = PersonForm.of_profile(wanted, {*all_subjects(await catalog()), *found.subjects})
    if not form.validate():
        raise WrongFields({field.name: str(field.errors[0]) for field in form if field.errors})
    try:
        await service.change_profile(
            enrollment_context(), auth.signed_in(), user_id, wanted, now(), seen=body.version, preview=body.dry_run
        )
    except service.NotPermitted:
        abort(403)
    except AccountGone:
        abort(404)
    user_cache().invalidate(user_id)
    return respond(PersonSchema.of(found, wanted))

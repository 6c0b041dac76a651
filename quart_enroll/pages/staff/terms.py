"""The terms: the list, and the forms that add and edit one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from operator import attrgetter

from quart import Response, abort, current_app, request, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain import moments, permissions
from quart_enroll.domain.folding import fold
from quart_enroll.domain.models import Term
from quart_enroll.domain.roles import Role
from quart_enroll.forms.staff.catalog import NewTermForm, TermForm, TermListForm
from quart_enroll.forms.staff.rows import FieldDifference
from quart_enroll.i18n.language import Sentence, TermName, gettext
from quart_enroll.pages.paging import page_of, page_url, requested_page
from quart_enroll.pages.staff.catalog_forms import save
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.pages.staff.listing import ROWS_PER_PAGE, Column, Listing, Sort, export, requested_format
from quart_enroll.pages.staff.sections import in_batches, sort_rows
from quart_enroll.services.catalog.import_results import ImportResult
from quart_enroll.services.staff import catalog_edits
from quart_enroll.state import database, now
from quart_enroll.web import auth
from quart_enroll.web.compression import RenderedPage

HERE = "staff_terms"


def _deadline(name: str, label: Sentence) -> Column[Term]:
    return Column(
        name,
        label,
        lambda term: str(moments.localized_deadline(term, getattr(term, name))),
        is_sortable=True,
        order=attrgetter(name),
    )


LISTING: Listing[Term] = Listing(
    "terms",
    [
        Column(
            "name",
            Sentence("Term"),
            lambda term: str(TermName(term.term)),
            url=lambda term: url_for("staff_term", term=term.term),
            is_sortable=True,
            only_on_pages=True,
            order=attrgetter("order"),
        ),
        Column("term", Sentence("Term"), lambda term: term.term, only_in_files=True),
        Column(
            "opens_at",
            Sentence("Enrollment opens"),
            lambda term: moments.moment_text(term, term.opens_at),
            is_sortable=True,
            order=attrgetter("opens_at"),
        ),
        _deadline("add_deadline", Sentence("Last day to enroll")),
        _deadline("drop_deadline", Sentence("Last day to drop")),
        _deadline("withdraw_deadline", Sentence("Last day to withdraw")),
        Column("max_credits", Sentence("Credit limit"), lambda term: term.max_credits, is_sortable=True),
    ],
    default_sort=Sort("name", descending=True),
)


async def terms() -> RenderedPage | Response:
    form, at = TermListForm(request.args), now()
    rows = sort_rows(LISTING, [one for one in await catalog_edits.find_terms(database()) if _is_wanted(one, form, at)])
    if requested_format():
        return await export(LISTING, in_batches(rows))
    page = page_of(rows, requested_page(len(rows), ROWS_PER_PAGE), ROWS_PER_PAGE)
    return render_staff(
        "staff/terms.html",
        HERE,
        form=form,
        listing=LISTING,
        page=page,
        page_url=page_url,
        can_change=_can_change(),
    )


def _is_wanted(term: Term, form: TermListForm, at: datetime) -> bool:
    match form.enrollment.data:
        case "coming":
            has_state = at < term.opens_at
        case "open":
            has_state = term.is_open(at)
        case "over":
            has_state = at >= term.add_deadline
        case _:
            has_state = True
    text = fold(f"{term.term} {TermName(term.term)}")
    return has_state and all(word in text for word in fold(form.q.data or "").split())


async def term() -> ResponseReturnValue:
    opened = await catalog_edits.find_term(database(), request.args.get("term", ""))
    if opened is None:
        abort(404)
    form = await TermForm.from_request(fixed_cells={"term": opened.term}, **_values(opened))
    name = str(TermName(opened.term))
    copy_url = url_for("staff_term_new", term=opened.term) if _can_change() else ""
    page = partial(
        _page,
        form,
        name,
        can_change=_can_change(),
        appointments_url=_appointments_url(opened),
        copy_url=copy_url,
    )
    if request.method != "POST":
        return page()
    if not form.validate():
        return page(), 422

    async def save_row(preview: bool) -> ImportResult:
        return await catalog_edits.edit_term(
            database(), auth.signed_in().user_id, form.row.read(), now(), seen=form.seen.data or "", preview=preview
        )

    async def reread() -> Mapping[str, str]:
        return _values(await catalog_edits.find_term(database(), opened.term) or opened)

    url = url_for("staff_term", term=opened.term)
    return await save(form, save_row, url, here=HERE, heading=name, page=page, reread=reread)


async def new_term() -> ResponseReturnValue:
    config = current_app.config
    defaults = {"timezone": config["TIMEZONE"], "max_credits": f"{config['MAX_CREDITS']:g}"}
    copied = await catalog_edits.find_term(database(), request.args.get("term", ""))
    form = await NewTermForm.from_request(**defaults | (TermForm.values_of(copied) if copied else {}))
    page = partial(_page, form, gettext("Add a term"), can_change=True)
    if request.method != "POST":
        return page()
    form.confirmed.data = "y"  # no student waits for a section of a term that doesn't exist yet
    if not form.validate():
        return page(), 422

    async def save_row(_: bool) -> ImportResult:
        return await catalog_edits.add_term(database(), auth.signed_in().user_id, form.row.read(), now())

    url = url_for("staff_term", term=form.row.read().term)
    return await save(form, save_row, url, here=HERE, heading=gettext("Add a term"), page=page)


def _can_change() -> bool:
    return Role.REGISTRAR in auth.signed_in().roles


def _appointments_url(term: Term) -> str:
    may_read = permissions.can_read_all_students(auth.signed_in())
    return url_for("staff_appointments", term=term.term) if may_read else ""


def _values(term: Term) -> dict[str, str]:
    return TermForm.values_of(term) | {"seen": catalog_edits.fingerprint(term)}


def _page(
    form: TermForm,
    heading: str,
    *,
    can_change: bool,
    appointments_url: str = "",
    copy_url: str = "",
    differences: Sequence[FieldDifference] = (),
) -> RenderedPage:
    return render_staff(
        "staff/term.html",
        HERE,
        form=form,
        heading=heading,
        can_change=can_change,
        appointments_url=appointments_url,
        copy_url=copy_url,
        differences=differences,
    )

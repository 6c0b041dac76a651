"""The access log: who opened which student's record or which roster."""

from functools import partial
from typing import TypeAlias, cast

from quart import request

from quart_enroll.domain.audit import AccessEntry
from quart_enroll.forms.staff.logs import AccessLogForm
from quart_enroll.i18n.language import Sentence
from quart_enroll.pages.staff.listing import Column, Listing
from quart_enroll.pages.staff.logs import (
    LogResponse,
    about_text,
    actor_columns,
    log_page,
    person_columns,
    time_column,
)
from quart_enroll.services.staff import access as access_log
from quart_enroll.services.staff.named_entries import NamedEntry
from quart_enroll.state import catalog, database, site
from quart_enroll.web.route import SiteRule

Row: TypeAlias = NamedEntry[AccessEntry]


async def access() -> LogResponse:
    routes = [cast(SiteRule, rule).route for rule in site().url_map.iter_rules()]
    names = {route.endpoint: route.opens_record for route in routes if route.opens_record}
    page: Column[Row] = Column("page", Sentence("Page"), lambda row: names.get(row.entry.page, row.entry.page))
    titles = (await catalog()).titles
    about: Column[Row] = Column("about", Sentence("Section"), lambda row: about_text(row.entry.about, titles))
    listing: Listing[Row] = Listing("access", [time_column(), *actor_columns(), *person_columns(), page, about])
    form = AccessLogForm(request.args)
    return await log_page(
        "staff/access.html",
        listing,
        form,
        partial(access_log.page, database()),
        partial(access_log.batches, database()),
    )

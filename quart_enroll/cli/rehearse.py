"""`rehearse`: simulate an opening with invented students, and report what to expect on the day."""

import asyncio
import json
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click
import uvloop
from quart import Quart
from quart_auth import QuartAuth

from quart_enroll.cli.command_context import (
    OPERATION_TIMEOUT_SECONDS,
    PROJECT_FOLDER,
    current_site,
    defaults,
)
from quart_enroll.cli.develop import SERVER_COMMAND
from quart_enroll.cli.local_mongod import database_uri
from quart_enroll.db.client import (
    DATABASE_REFUSED,
    DATABASE_UNAVAILABLE,
    NoTransactions,
    describe_error,
    open_database,
    other_database_uri,
)
from quart_enroll.rehearsal import report
from quart_enroll.rehearsal.advice import advise
from quart_enroll.rehearsal.extent import Extent, SiteSettings
from quart_enroll.rehearsal.figures import Figures
from quart_enroll.rehearsal.run import rehearse as run
from quart_enroll.rehearsal.site import SiteFailed
from quart_enroll.server.connections import raise_file_limit
from quart_enroll.services.accounts.hash_slots import slots_per_process
from quart_enroll.services.maintenance import rehearsal
from quart_enroll.services.maintenance.rehearsal import RehearsalRefused, SchoolFacts
from quart_enroll.system.clock import utc_now

T = TypeVar("T")

MAX_STUDENTS = 50_000

FILES_PER_STUDENT, OTHER_FILES = 2, 200
"""The connections of a student: one for pages, one for live updates. And what else this process may have open."""

SETTINGS_OF_ITS_OWN = {
    "UPGRADE_MONGO_URI": "",
    "SMTP_URL": "",  # so no emails are sent
    "MAIL_FROM": "",
    "METRICS_TOKEN": "",
    "PROXIES": "1",  # each invented student has an IP address, as behind a proxy
}
"""The settings of the rehearsed site that differ from the school's, besides MONGO_URI and PORT."""

STATUS_INTERRUPTED = 130


@click.command("rehearse", short_help="Rehearse an opening with invented students.")
@click.option("--students", type=click.IntRange(1, MAX_STUDENTS), help="How many; by default, the school’s number.")
@click.option(
    "--minutes",
    type=click.FloatRange(0.05, 60),
    default=1.0,
    show_default=True,
    help="How long the students act after the opening.",
)
@click.option("--term", "term_name", default="", help="The term to rehearse; by default, the next one that opens.")
@click.option(
    "--passwords",
    "password_percent",
    type=click.IntRange(0, 100),
    default=10,
    show_default=True,
    help="The percentage of students who come after the opening and sign in with a password.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another number invents other students.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, allow_dash=True),
    callback=lambda _context, _parameter, path: _writable(path),
    default="rehearsal.html",
    show_default=True,
    help="The file for the report; - prints it.",
)
@click.option("--json", "as_json", is_flag=True, help="Also print all figures as JSON.")
@click.option("--yes", is_flag=True, help="Don’t ask for confirmation.")
@click.option("--force", is_flag=True, help="Rehearse even if a term opens within a day.")
@click.option("--remove", "only_remove", is_flag=True, help="Only remove what a killed rehearsal left behind.")
def rehearse(
    students: int | None,
    minutes: float,
    term_name: str,
    password_percent: int,
    seed: int,
    output: str,
    as_json: bool,
    yes: bool,
    force: bool,
    only_remove: bool,
) -> None:
    """Rehearse the opening of a term with invented students, and write a report with advice.

    The catalog is copied into a database of its own, which is removed afterwards. The school's database is only read,
    and no emails are sent. Exits with status 1 if a student got a server error or no response, or if a seat is wrong.
    """
    if as_json and output == "-":
        raise click.UsageError("--json and --output - would print two things at once; name a file for the report.")
    with database_uri(current_site().config["MONGO_URI"], PROJECT_FOLDER) as uri:
        if only_remove:
            _say("Removed." if _run(_remove_leftovers(uri)) else "There was nothing to remove.")
            return
        facts, name = _run(_read_school(uri, term_name))
        extent = _extent(facts, students, minutes, password_percent, seed)
        _check_openings(facts, force=force)
        _check_file_limit(extent.students)
        if not yes:
            _confirm(facts, extent, name)
        figures = _run(run(uri, facts, extent, _site_settings(current_site()), _say))
    _report(figures, output, as_json=as_json)
    if not figures.succeeded:
        raise click.ClickException("Not everything went well; the report says what.")


def _writable(path: str) -> str:
    """Return the path of the report; raise BadParameter now rather than when everything is measured."""
    folder = Path(path).absolute().parent
    if path != "-" and not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise click.BadParameter(f"the folder {folder} doesn’t exist or can’t be written to")
    return path


def _say(line: str) -> None:
    click.echo(line, err=True)  # the report or the figures may go to the standard output


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work`; a signal cancels it, so that it cleans up, and an error becomes a sentence."""

    async def cancellable() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.create_task(work)

        def stop() -> None:
            if not task.cancelling():  # a second signal must not interrupt the removal of the database
                task.cancel()

        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if ending != signal.SIGHUP or signal.getsignal(ending) != signal.SIG_IGN:  # keeps nohup working
                loop.add_signal_handler(ending, stop)
        return await task

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(cancellable())
    except asyncio.CancelledError:
        _say("Stopped. Nothing of the rehearsal is left.")
        raise SystemExit(STATUS_INTERRUPTED) from None
    except (RehearsalRefused, SiteFailed) as error:
        raise click.ClickException(str(error)) from error
    except (*DATABASE_UNAVAILABLE, DATABASE_REFUSED, NoTransactions) as error:
        raise click.ClickException(describe_error(error, "MONGO_URI")) from error


async def _remove_leftovers(uri: str) -> bool:
    async with open_database(uri, OPERATION_TIMEOUT_SECONDS) as school:
        own_uri = other_database_uri(uri, rehearsal.database_name(school.name))
        async with open_database(own_uri, OPERATION_TIMEOUT_SECONDS) as db:
            return await rehearsal.remove_leftovers(db, school.name)


async def _read_school(uri: str, term_name: str) -> tuple[SchoolFacts, str]:
    """Return the facts, and the name of the database for the rehearsal."""
    async with open_database(uri, OPERATION_TIMEOUT_SECONDS) as school:
        return await rehearsal.read_school(school, term_name, utc_now()), rehearsal.database_name(school.name)


def _extent(facts: SchoolFacts, students: int | None, minutes: float, password_percent: int, seed: int) -> Extent:
    number = students or facts.students
    if not number:
        raise click.ClickException("The school has no students yet. Say how many to invent with --students.")
    source = "given" if students else "the school’s students"
    return Extent(min(number, MAX_STUDENTS), source, minutes, password_percent, seed)


def _check_openings(facts: SchoolFacts, *, force: bool) -> None:
    if not force:
        try:
            rehearsal.check_openings(facts.terms, utc_now())
        except RehearsalRefused as refusal:
            raise click.ClickException(str(refusal)) from refusal


def _check_file_limit(students: int) -> None:
    limit = raise_file_limit()
    if (most := (limit - OTHER_FILES) // FILES_PER_STUDENT) < students:
        raise click.ClickException(
            f"A process of this machine may open {limit:,} files, enough for {most:,} students. Raise the limit "
            "(`ulimit -Hn`), or rehearse with fewer students."
        )


def _confirm(facts: SchoolFacts, extent: Extent, name: str) -> None:
    seconds = extent.arriving_seconds + 60 * extent.minutes
    _say(
        f"This rehearses the opening of {facts.term} with {extent.students:,} invented students, for about "
        f"{seconds + 15:.0f} seconds.\n"
        f"It creates the database {name} and removes it afterwards. The school’s own database is only read.\n"
        "Meanwhile this machine and the MongoDB are under full load, so the school’s site will be slow."
    )
    click.confirm("Begin?", abort=True, err=True)


def _site_settings(app: Quart) -> SiteSettings:
    config = app.config
    [sign_ins] = app.extensions["QUART_AUTH"]
    return SiteSettings(
        command=SERVER_COMMAND,
        project=PROJECT_FOLDER,
        environ=SETTINGS_OF_ITS_OWN,
        processes=config["WEB_CONCURRENCY"],
        hash_slots=slots_per_process(config["PASSWORD_THREADS"], config["WEB_CONCURRENCY"]) * config["WEB_CONCURRENCY"],
        password_method=config["PASSWORD_METHOD"],
        app_env=config["APP_ENV"],
        cookie_name=config["QUART_AUTH_COOKIE_NAME"],
        sign=_signer(sign_ins, app),
        defaults=defaults(),
    )


def _signer(sign_ins: QuartAuth, app: Quart) -> Callable[[str], str]:
    return lambda identity: sign_ins.dump_token(identity, app)


def _report(figures: Figures, output: str, *, as_json: bool) -> None:
    advice = advise(figures)
    page = report.render(figures, advice, utc_now())
    if output == "-":
        click.echo(page)
    else:
        Path(output).write_text(page, "utf-8")
        _say(f"The report: {output}")
    for one in advice:
        if one.level != "note":
            _say(f"{report.HEADINGS[one.level]}: {one.title}")
    if as_json:
        click.echo(json.dumps(report.to_json(figures, advice), indent=1))

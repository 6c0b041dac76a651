"""Faulty templates of a school: the log names each problem at the start, and pages show everything else."""

import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from quart import Quart

from quart_enroll.app import create_app
from quart_enroll.db.client import Database
from quart_enroll.services.accounts.hash_slots import SLOTS_FOLDER_VARIABLE
from tests.support.people import ADA, PASSWORD, Browser, Clock, config, text

TEMPLATES = Path(__file__).parents[2] / "support/sibling_templates"
PAGES = ("/", "/courses/", "/login", "/register", "/help", "/nowhere")
SCHOOL_NAME = "Riverside Academy"

Start = Callable[[], Awaitable[Browser]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the templates, for tests to damage."""
    return Path(shutil.copytree(TEMPLATES, tmp_path / "templates"))


@pytest.fixture
async def start(db: Database, mongod: str, clock: Clock, folder: Path) -> AsyncIterator[Start]:
    """Yield a function that starts the site with these templates and returns a browser."""
    async with AsyncExitStack() as stack:

        async def start_site(**settings: object) -> Browser:
            app: Quart = create_app(config(mongo_uri=mongod, template_overrides=folder, **settings), clock=clock)
            await stack.enter_async_context(app.test_app())
            return Browser(app.test_client())

        yield start_site


def template_messages(log: pytest.LogCaptureFixture) -> list[str]:
    """Return the log's messages about templates."""
    return [message for record in log.records if (message := record.getMessage()).startswith("template ")]


def add_line(folder: Path, name: str, line: str) -> int:
    """Insert the line before the last line of a template, the end of its block, and return its line number."""
    lines = (folder / name).read_text().splitlines()
    (folder / name).write_text("\n".join([*lines[:-1], line, lines[-1]]))
    return len(lines)


@pytest.mark.parametrize(
    ("name", "line", "expected_message", "expected_html"),
    [
        ("courses.html", "<i>[{{ lessons }}]</i>", "names “lessons”", "<i>[]</i>"),
        ("courses.html", "<i>[{% for a in lessons.b %}{{ a }}{% endfor %}]</i>", "names “lessons”", "<i>[]</i>"),
        ("courses.html", "<i>[{{ moment(now_is).format('L') }}]</i>", "names “moment”", "<i>[]</i>"),
        ("courses.html", "<i>[{{ price * 2 + 1 }}{{ 1 if price > 3 }}{{ price|int }}]</i>", "names “price”", "[0]"),
        ("courses.html", "{% for c in courseData %}<i>[{{ c.price }}]</i>{% endfor %}", "names “price”", "<i>[]</i>"),
        (
            "courses.html",
            "{% for c in courses %}<i>[{{ c['r2'].price }}]</i>{% endfor %}",
            "names “price”",
            "<i>[]</i>",
        ),
        ("courses.html", "<i>[{{ current_user.balance }}]</i>", "names “balance”", "<i>[]</i>"),
        ("courses.html", "<i>[{{ session['cart'] }}]</i>", "names “cart”", "<i>[]</i>"),
        ("courses.html", "<i>[{{ courseData.title }}]</i>", "“courseData” is a list here", "<i>[]</i>"),
        ("courses.html", "<i>[{{ url_for('main.about') }}]</i>", "links to url_for(“main.about”)", "<i>[#]</i>"),
        ("courses.html", "<i>[{{ term|shout }}]</i>", "uses the filter “shout”", "<i>[Fall 2026]</i>"),
        ("courses.html", "<i>[{{ 'yes' if term is loud else 'no' }}]</i>", "uses the test “loud”", "<i>[no]</i>"),
        (
            "courses.html",
            "<i>{{ url_for('static', filename='css/gone.css') }}</i>",
            "the file “css/gone.css”",
            "gone.css",
        ),
        ("login.html", "<i>[{{ form.captcha }}]</i>", "names “captcha”", "<i>[]</i>"),
        ("base.html", "<i>[{{ college_name }}]</i>", "names “college_name”", "<i>[]</i>"),
        ("includes/menu.html", "<i>[{{ college_name }}]</i>", "names “college_name”", "<i>[]</i>"),
    ],
)
async def test_an_unknown_name_is_logged_once_and_the_rest_is_shown(
    start: Start,
    folder: Path,
    log: pytest.LogCaptureFixture,
    name: str,
    line: str,
    expected_message: str,
    expected_html: str,
) -> None:
    line_number = add_line(folder, name, line)
    browser = await start()
    first, *others = template_messages(log)
    assert first.startswith(f"template {name}:{line_number} ")
    assert expected_message in first
    assert all("now_is" in other for other in others)
    page = await browser.read("/login" if name == "login.html" else "/courses/")
    await browser.read("/courses/")
    assert expected_html in page
    assert SCHOOL_NAME in page
    assert len(template_messages(log)) == 1 + len(others)


@pytest.mark.parametrize(
    "line",
    [
        "{% if lessons is defined %}{{ lessons }}{% endif %}{{ lessons|default('none') }}",
        "{% if logout %}here{% endif %}",
        "{% set note = 'x' %}{{ note }}{% with a = 1 %}{{ a }}{% endwith %}",
        "{% for user in courseData %}{{ user.title }}{{ loop.index }}{% endfor %}{% macro m(x) %}{{ x }}{% endmacro %}",
        "{% include ['gone.html', 'includes/menu.html'] %}{% include 'gone.html' ignore missing %}",
        "{{ request.args.get('q', '') }}{{ config['PORT'] }}{{ g.get('anything', '') }}{{ self.content }}",
        "{{ session.get('anything', '') }}{{ form.anything }}{{ user }}{{ plan }}{{ csrf_token() }}",
        "{{ session['user_id'] }}{{ session.username }}{{ request.args['page'] }}{{ request.view_args.term }}",
        "{% include './includes/menu.html' %}{% include '/includes//menu.html' %}",
    ],
)
async def test_a_guarded_unknown_name_is_not_a_problem(
    start: Start, folder: Path, log: pytest.LogCaptureFixture, line: str
) -> None:
    add_line(folder, "courses.html", line)
    browser = await start()
    assert SCHOOL_NAME in await browser.read("/courses/")
    assert template_messages(log) == []


BROKEN = [
    ("courses.html", "{% if %}", "can't be read: Expected an expression"),
    ("courses.html", "{% assets 'all.css' %}", "can't be read: Encountered unknown tag 'assets'"),
    ("courses.html", "{% include 'gone.html' %}", "needs the template “gone.html”"),
    ("courses.html", "{% import 'bootstrap/wtf.html' as wtf %}{{ wtf.x() }}", "Flask-Bootstrap, which this site does"),
    ("courses.html", "{% from 'macros/gone.html' import a %}", "needs the template “macros/gone.html”"),
    (
        "courses.html",
        "{% block a %}{% endblock %}{% block a %}{% endblock %}",
        "block 'a' defined twice",
    ),
    ("layout.html", "{% if %}", "can't be read"),
    ("layout.html", "{% include 'gone.html' %}", "needs the template “gone.html”"),
    ("base.html", "{% endblock %}", "can't be read"),
    ("includes/menu.html", "{% endif %}", "can't be read"),
]


@pytest.mark.parametrize(("name", "line", "expected_message"), BROKEN)
@pytest.mark.parametrize("app_env", ["development", "production"])
async def test_an_unusable_template_is_replaced_by_the_sites_own(
    start: Start, folder: Path, log: pytest.LogCaptureFixture, name: str, line: str, expected_message: str, app_env: str
) -> None:
    line_number = add_line(folder, name, line)
    browser = await start(app_env=app_env)
    [first] = template_messages(log)
    assert first.startswith(f"template {name}:{line_number} ")
    assert expected_message in first
    for path in PAGES:
        page = await text(await browser.get(path))
        assert (SCHOOL_NAME in page, '<main id="main"' in page) == (
            (True, False) if name == "courses.html" else (False, True)
        )
        if path == "/courses/":
            assert "PYT 101" in page
            assert ('id="results"' in page) == (name == "courses.html")
    assert template_messages(log) == [first]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{{ current_user.is_authenticated() }}", "TypeError"),
        ("{{ courseData[0].title.nothing() }}", ""),
        ("{{ courseData[99].title }}", ""),
        ("{% include term %}", "TemplateNotFound"),
        ("{{ 'x'|replace(1) }}", "TypeError"),
    ],
)
async def test_a_template_that_fails_at_render_time_is_replaced_too(
    start: Start, folder: Path, log: pytest.LogCaptureFixture, line: str, error: str
) -> None:
    line_number = add_line(folder, "courses.html", line)
    browser = await start()
    for _ in range(2):
        page = await browser.read("/courses/")
        assert "PYT 101" in page
        assert SCHOOL_NAME in page
    failed = [message for message in template_messages(log) if "failed" in message]
    assert len(failed) == bool(error)
    if error:
        assert failed[0].startswith(f"template courses.html:{line_number} failed: {error}")
        assert failed[0].endswith("The site's own courses.html is shown instead.")


async def test_an_unknown_dynamic_name_is_logged_when_rendered(
    start: Start, folder: Path, log: pytest.LogCaptureFixture
) -> None:
    line_number = add_line(folder, "courses.html", "{% set page = 'main.' ~ 'about' %}<i>{{ url_for(page) }}</i>")
    browser = await start()
    assert template_messages(log) == []
    for _ in range(2):
        assert "<i>#</i>" in await browser.read("/courses/")
    [sentence] = template_messages(log)
    assert sentence.startswith(f"template courses.html:{line_number} links to")


async def test_the_error_page_does_not_need_the_layout(start: Start, folder: Path) -> None:
    (folder / "layout.html").write_text("{{ 1 / 0 }}")
    page = await text(await (await start()).get("/nowhere"))
    assert "We can’t find that page. Check the link or go to the home page." in page
    assert '<main id="main"' in page


async def test_a_layout_without_a_content_block_is_used_only_by_the_schools_pages(
    start: Start, folder: Path, log: pytest.LogCaptureFixture
) -> None:
    for name in ("base.html", "courses.html"):
        path = folder / name
        path.write_text(path.read_text().replace("block content", "block body"))
    browser = await start()
    [sentence] = template_messages(log)
    assert sentence.startswith("template layout.html has no block “content”")
    assert SCHOOL_NAME in await browser.read("/courses/")
    page = await browser.read("/help")
    assert SCHOOL_NAME not in page
    assert '<main id="main"' in page


async def test_an_unused_template_is_logged(start: Start, folder: Path, log: pytest.LogCaptureFixture) -> None:
    (folder / "home.html").write_text("{{ nothing }}")
    await start()
    [sentence] = template_messages(log)
    assert re.match(r"template home.html is never shown. The site's pages are .*courses.html, .*index.html", sentence)


async def test_a_file_in_another_encoding_is_logged(start: Start, folder: Path, log: pytest.LogCaptureFixture) -> None:
    (folder / "courses.html").write_bytes("Académie".encode("latin-1"))
    browser = await start()
    assert template_messages(log)[0].startswith("template courses.html can't be read: it is not in UTF-8.")
    assert "PYT 101" in await browser.read("/courses/")


async def test_a_template_that_shows_passwords_is_logged_and_shows_none(
    start: Start, folder: Path, log: pytest.LogCaptureFixture
) -> None:
    add_line(folder, "user.html", "{% for user in users %}{{ user.password }}{% endfor %}")
    await start()
    [sentence] = template_messages(log)
    assert "shows “password”, which no page gives away" in sentence


async def test_in_development_a_repaired_template_is_used_again(start: Start, folder: Path) -> None:
    good = (folder / "layout.html").read_text()
    (folder / "layout.html").write_text("{% if %}")
    browser = await start()
    assert SCHOOL_NAME not in await browser.read("/")
    (folder / "layout.html").write_text(good)
    assert SCHOOL_NAME in await browser.read("/")


async def test_several_processes_of_a_server_log_a_problem_once(
    start: Start, folder: Path, tmp_path: Path, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SLOTS_FOLDER_VARIABLE, str(tmp_path))
    add_line(folder, "courses.html", "{{ lessons }}")
    for browser in (await start(), await start()):
        await browser.read("/courses/")
    assert len(template_messages(log)) == 1


async def test_a_form_works_whatever_else_is_wrong_with_its_page(start: Start, folder: Path) -> None:
    add_line(folder, "login.html", "{% import 'bootstrap/wtf.html' as wtf %}{{ wtf.quick_form(form) }}")
    browser = await start()
    assert 'name="password"' in await browser.read("/login")
    assert (await browser.sign_in(ADA, password=PASSWORD)).status_code == 303


@pytest.mark.parametrize("name", ["layout.html", "./layout.html", "/layout.html", ".//layout.html"])
async def test_a_failing_template_is_excluded_however_its_name_is_written(
    start: Start, folder: Path, log: pytest.LogCaptureFixture, name: str
) -> None:
    (folder / "index.html").write_text("{% extends '" + name + "' %}")
    (folder / "layout.html").write_text("{{ 1 / 0 }}")
    page = await text(await (await start()).get("/"))
    assert '<main id="main"' in page
    assert template_messages(log)[-1].startswith("template layout.html:1 failed: ZeroDivisionError")


async def test_a_failing_include_of_the_layout_breaks_no_page(start: Start, folder: Path) -> None:
    part = "{% if courseData or 1 %}{% include './includes/part.html' ignore missing %}{% endif %}"
    (folder / "layout.html").write_text(part + "<main>{% block content %}{% endblock %}</main>")
    (folder / "includes" / "part.html").write_text("{{ 1 / 0 }}")
    browser = await start()
    for path in ("/", "/courses/", "/login"):
        assert (await browser.get(path)).status_code == 200


@pytest.mark.parametrize(
    "line",
    [
        "{{ " + "(" * 2000 + "1" + ")" * 2000 + " }}",
        "{{ 1" + " + 1" * 3000 + " }}",
        "{% for a in 'a' %}" * 30 + "{% endfor %}" * 30,
    ],
)
async def test_a_template_that_fails_to_compile_is_logged(
    start: Start, folder: Path, log: pytest.LogCaptureFixture, line: str
) -> None:
    add_line(folder, "courses.html", line)
    browser = await start()
    [sentence] = template_messages(log)
    assert sentence.startswith("template courses.html can't be read: ")
    assert "PYT 101" in await browser.read("/courses/")

"""The documentation: every file, link, `make` target and command that it names exists."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from quart import Quart

from quart_enroll import cli

PROJECT = Path(__file__).parents[2]
PAGES = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")])
FOLDERS = (PROJECT, PROJECT / "quart_enroll", PROJECT / "quart_enroll" / "templates")
"""Where paths in the documentation may begin, besides the folder of the page."""

PATH = re.compile(r"(?:[\w.-]+/)+(?:[\w-]+\.\w+)?|[\w-]+\.(?:css|html|js|md|py|toml)")
EXAMPLES = {"HTTP/2.0", "css/main.css", "bootstrap/wtf.html", "v1/", "quart_enroll/translations/fr.po"}
"""Names that look like paths, and files that only some readers have."""

PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())


@PAGE
def test_every_path_in_the_docs_exists(page: Path) -> None:
    ignored = tuple((PROJECT / ".gitignore").read_text("utf-8").split())
    words = {word.lstrip("(").rstrip(".,;:)") for code in _code(page) for word in code.split()}
    paths = {word for word in words if PATH.fullmatch(word) and not word.startswith(ignored)} - EXAMPLES
    assert [path for path in sorted(paths) if not _exists(path, page)] == []


@PAGE
def test_every_link_in_the_docs_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken = []
    for link in re.findall(r"(?:\]\(|src=\")([^)\"\s]+)", page.read_text("utf-8")):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if "://" not in link and not (target.exists() and (not anchor or anchor in _anchors(target))):
            broken.append(link)
    assert broken == []


@PAGE
def test_every_make_target_in_the_docs_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {name for code in _code(page) for name in re.findall(r"\bmake ([a-z-]+)", code)}
    assert named - targets == set()


@PAGE
def test_every_command_in_the_docs_exists(page: Path) -> None:
    named = {name for code in _code(page) for name in re.findall(r"\bquart (?:--app asgi )?([a-z][a-z-]*)", code)}
    assert named - {"run", *_options_of_commands()} == set()


def test_the_page_of_commands_has_each_command_with_its_options() -> None:
    commands = _options_of_commands()
    rows = re.findall(r"^\| `(\S+?)[ `](.*)$", (PROJECT / "docs" / "commands.md").read_text("utf-8"), re.MULTILINE)
    assert {name for name, _ in rows} == set(commands)
    assert [
        (name, option) for name, row in rows for option in set(re.findall(r"--[a-z-]+", row)) - commands[name]
    ] == []


def _code(page: Path) -> Iterator[str]:
    """Yield the text in backticks, and the indented lines of code."""
    text = page.read_text("utf-8")
    yield from re.findall(r"`([^`]+)`", text)
    yield from re.findall(r"^ {4} *(\S.*)$", text, re.MULTILINE)


def _exists(path: str, page: Path) -> bool:
    return any((folder / path).exists() for folder in (*FOLDERS, page.parent))


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _options_of_commands() -> dict[str, set[str]]:
    """Return the options of each command by its name, with those of its subcommands."""
    app = Quart(__name__)
    cli.register(app)
    context = click.Context(app.cli)
    commands = {name: app.cli.get_command(context, name) for name in app.cli.list_commands(context)}
    return {
        name: {option for one in _with_subcommands(command) for parameter in one.params for option in parameter.opts}
        for name, command in commands.items()
        if command
    }


def _with_subcommands(command: click.Command) -> list[click.Command]:
    return [command, *(command.commands.values() if isinstance(command, click.Group) else ())]

"""Each thing has one name on the site: students take courses, not classes, and sign in, not log in."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

import quart_enroll
from quart_enroll.i18n import language

PACKAGE = Path(quart_enroll.__file__).parent
TEMPLATES = sorted((PACKAGE / "templates").rglob("*.html"))
OTHER_WORDS = re.compile(r"(?<!day of )\b(class|classes|log ?in|log ?out|logged (in|out)|timetable)\b", re.IGNORECASE)

AVOIDED_WORDS = re.compile(
    r"\b(address(es)?|any ?more|e-mails?|g[ai]ven? back|gives? back|make an account|register"
    r"|somebody|teachers?|whoever|for who|of who)\b",
    re.IGNORECASE,
)
"""Further words that no page or email uses; commands and logs may use them."""

CAPITALIZED = {"API", "ID", "JSON", "Ocean", "W"}
"""Words that begin with a capital letter within a label."""


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_pages_use_the_sites_own_words(path: Path) -> None:
    text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<[^>]*>", " ", path.read_text(), flags=re.DOTALL)
    assert OTHER_WORDS.findall(text) == []


def test_sentences_use_the_sites_own_words() -> None:
    wrong = [text for path in PACKAGE.rglob("*.py") for text in sentences(path) if OTHER_WORDS.search(text)]
    assert wrong == []


def test_pages_and_emails_use_none_of_the_avoided_words() -> None:
    assert [text for text in visible_sentences() if OTHER_WORDS.search(text) or AVOIDED_WORDS.search(text)] == []


def test_labels_are_in_sentence_case() -> None:
    labels = [text for text in visible_sentences() if re.fullmatch(r"[A-Z][\w’]*( [\w’]+)+", text)]
    wrong = [text for text in labels if {word for word in text.split()[1:] if word[0].isupper()} - CAPITALIZED]
    assert wrong == []


def visible_sentences() -> Iterator[str]:
    """Yield the English sentences of pages and emails without their placeholders."""
    with open(language.TRANSLATIONS_FOLDER / "es.po", "rb") as file:
        catalog = read_po(file, locale="es")
    for message in catalog:
        for text in message.id if isinstance(message.id, tuple) else [message.id]:
            yield re.sub(r"%\(\w+\)s|<[^>]*>", "…", str(text))


def sentences(path: Path) -> Iterator[str]:
    """Yield the texts of several words in a module, except docstrings."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    aside = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in aside]
    yield from (text for text in texts if isinstance(text, str) and " " in text.strip())

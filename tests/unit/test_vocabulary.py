"""One thing has one name, wherever people read it: a course is no class, and one signs in and out."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import quart_enroll

PACKAGE = Path(quart_enroll.__file__).parent
OTHER_WORDS = re.compile(r"\b(class|classes|log ?in|log ?out|logged (in|out)|timetable)\b", re.IGNORECASE)
TEMPLATES = [path for path in (PACKAGE / "templates").rglob("*.html") if path.name != "nav.html"]  # its labels are kept


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_pages_use_the_sites_own_words(path: Path) -> None:
    text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<[^>]*>", " ", path.read_text(), flags=re.DOTALL)
    assert OTHER_WORDS.findall(text) == []


def test_sentences_use_the_sites_own_words() -> None:
    wrong = [text for path in PACKAGE.rglob("*.py") for text in sentences(path) if OTHER_WORDS.search(text)]
    assert wrong == []


def sentences(path: Path) -> Iterator[str]:
    """Give the texts of several words in a module, its docstrings aside."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    aside = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in aside]
    yield from (text for text in texts if isinstance(text, str) and " " in text.strip())

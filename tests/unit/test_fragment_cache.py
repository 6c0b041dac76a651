"""Cached parts of pages: rendered once for the same facts, and with each visitor's own CSRF token."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from quart import Quart

from quart_enroll import bounded_cache
from quart_enroll.web import templating
from quart_enroll.web.templating import init_app, render


class School:
    """An application with one template, which counts how often its fragment is rendered."""

    def __init__(self, folder: Path) -> None:
        self.app = Quart("school", template_folder=None)
        self.app.secret_key = "for messages"
        self.app.config.update(TEMPLATE_OVERRIDES=None, LANGUAGES=("en",))
        self.tokens: Iterator[str] = iter(())
        self.template = folder / "page.html"
        init_app(self.app, None, dict, dict, lambda: next(self.tokens))
        self.drawn = 0

    def count(self) -> str:
        self.drawn += 1
        return f"drawing {self.drawn}"

    async def show(self, **names: Any) -> str:
        async with self.app.test_request_context("/"):
            return render("page.html", count=self.count, **names).decode()


@pytest.fixture
def school(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> School:
    monkeypatch.setattr(templating, "TEMPLATES", tmp_path)
    school = School(tmp_path)
    school.template.write_text("{% fragment who, term %}{{ count() }} for {{ who }}{% endfragment %}")
    return school


async def test_a_fragment_with_the_same_key_is_rendered_once(school: School) -> None:
    shown = [await school.show(who=who) for who in ("<ada>", "bob", "<ada>")]
    assert shown == ["drawing 1 for &lt;ada&gt;", "drawing 2 for bob", "drawing 1 for &lt;ada&gt;"]


async def test_a_fragment_with_the_key_none_is_rendered_each_time(school: School) -> None:
    school.template.write_text("{% fragment none %}{{ count() }}{% endfragment %}")
    assert [await school.show() for _ in range(2)] == ["drawing 1", "drawing 2"]


async def test_two_fragments_of_a_page_are_cached_separately(school: School) -> None:
    school.template.write_text(
        "{% fragment 1 %}{{ count() }}{% endfragment %}{% fragment 1 %}{{ count() }}{% endfragment %}"
    )
    assert await school.show() == "drawing 1drawing 2"


async def test_each_visitor_gets_their_own_csrf_token(school: School) -> None:
    school.template.write_text("{% fragment 1 %}{{ csrf_token() }} {{ csrf_token() }}{% endfragment %}")
    school.tokens = iter(["adas", "bobs"])
    assert [await school.show() for _ in range(2)] == ["adas adas", "bobs bobs"]


async def test_a_nested_fragment_appears_in_its_place(school: School) -> None:
    inner = "{% fragment who %}({{ count() }} {{ csrf_token() }} é){% endfragment %}"
    school.template.write_text(
        "<é>{% fragment 1, who %}[" + inner + "]{% endfragment %}" + inner + "{{ csrf_token() }}</é>"
    )
    school.tokens = iter(["adas", "bobs", "adas"])
    shown = [await school.show(who=who) for who in ("ada", "bob", "ada")]
    assert shown[0] == "<é>[(drawing 1 adas é)](drawing 2 adas é)adas</é>"
    assert shown[1] == "<é>[(drawing 3 bobs é)](drawing 4 bobs é)bobs</é>"
    assert shown[2] == shown[0]


async def test_a_page_without_a_form_needs_no_csrf_token(school: School) -> None:
    assert await school.show(who="ada") == "drawing 1 for ada"  # there is no token to be had


async def test_the_least_recently_used_fragment_makes_room(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(bounded_cache.CACHE_BYTES, "page fragments", 3000)  # two of them
    init_app(school.app, None, dict, dict, lambda: next(school.tokens))
    for who in ("ada", "bob", "ada", "rita", "ada", "bob"):
        await school.show(who=who)
    assert school.drawn == 4


async def test_a_changed_template_is_rendered_again(school: School) -> None:
    school.app.config["TEMPLATES_AUTO_RELOAD"] = True
    await school.show(who="ada")
    school.app.jinja_env.compile("another template")
    assert await school.show(who="ada") == "drawing 2 for ada"

"""Static files named by their content."""

import gzip
import re
from pathlib import Path

import pytest

from quart_enroll.web.static_files import StaticFiles
from tests.support import dark_css
from tests.support.people import Browser


async def test_pages_link_to_files_that_are_cached_for_a_year(anyone: Browser) -> None:
    page = await anyone.read("/")
    urls = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert len(urls) >= 4
    for url in urls:
        response = await anyone.get(url)
        assert response.status_code == 200
        assert "immutable" in response.headers["Cache-Control"]
        assert "Set-Cookie" not in response.headers


async def test_a_file_without_a_hash_in_its_name_is_revalidated(anyone: Browser) -> None:
    response = await anyone.get("/static/site.css")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-cache"


async def test_text_files_are_compressed_for_clients_that_accept_it(anyone: Browser) -> None:
    plain = await anyone.get("/static/site.css")
    packed = await anyone.get("/static/site.css", headers={"Accept-Encoding": "br, gzip"})
    assert gzip.decompress(await packed.get_data(as_text=False)) == await plain.get_data(as_text=False)
    assert (plain.headers.get("Content-Encoding"), packed.headers["Content-Encoding"]) == (None, "gzip")
    for response in (plain, packed):
        assert response.headers["Vary"] == "Accept-Encoding"
        assert response.headers["Content-Type"] == "text/css; charset=utf-8"
    refused = await anyone.get("/static/site.css", headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in refused.headers


async def test_the_layout_does_not_depend_on_the_language(anyone: Browser) -> None:
    """A style that chooses cells by their label would not apply to pages in other languages."""
    styles = await (await anyone.get("/static/site.css")).get_data(as_text=True)
    assert "attr(data-label)" in styles
    assert re.findall(r"\[data-label[^\]]*\]", styles) == []


def test_the_dark_colors_without_scripts_are_those_of_the_dark_theme() -> None:
    assert dark_css.FILE.read_text() == dark_css.dark_css(), "run: python -m tests.support.dark_css"
    assert ":root{color-scheme:dark;" in dark_css.dark_css()
    assert "--surface: #172327;" in dark_css.dark_css()


async def test_a_range_request_gets_the_whole_file(anyone: Browser) -> None:
    response = await anyone.get("/static/site.css", headers={"Range": "bytes=-1"})
    assert response.status_code == 200


@pytest.mark.parametrize("name", ["nothing.css", "site.000000000000.css", "../app.py", "%2e%2e/app.py", ".", "vendor"])
async def test_only_static_files_are_served(anyone: Browser, name: str) -> None:
    assert (await anyone.get(f"/static/{name}")).status_code == 404


async def test_pages_load_nothing_from_other_hosts(anyone: Browser) -> None:
    for path in ("/", "/courses/", "/login", "/register", "/nothing"):
        assert not re.findall(r'(?:href|src|action)="(?:https?:)?//', await anyone.read(path))


def test_file_names_change_with_their_content_and_a_schools_file_takes_precedence(tmp_path: Path) -> None:
    ours, schools = tmp_path / "ours", tmp_path / "schools"
    for folder in (ours, schools):
        folder.mkdir()
    (ours / "site.css").write_text("ours")
    before = StaticFiles(schools, ours).hashed_name("site.css")
    (schools / "site.css").write_text("the school's")
    after = StaticFiles(schools, ours).hashed_name("site.css")
    assert before != after
    assert after == StaticFiles(schools).hashed_name("site.css")

"""Find problems in a school's own templates by reading them, before a visitor sees them.

A page gives its template the variables that the site's own template of that page uses, under all of their names.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, TemplateNotFound, TemplateSyntaxError, nodes
from jinja2.meta import find_undeclared_variables

from quart_enroll.web.overrides.lenient import Place, file_name, unknown_endpoint, unknown_name
from quart_enroll.web.overrides.names import FIELDS, FLAGS, ITEMS, JOINED, LISTS, TITLES, attributes_of, endpoints

LAYOUT_TEMPLATE = "layout.html"
"""The template that surrounds all pages."""

CONTENT_BLOCK = "content"
"""The block of the layout that pages fill."""

EXTRA_VARIABLES = {page: {"title"} for page in TITLES} | {"enrollment.html": {"title", "classes"}}
"""Variables that pages give although the site's own templates do not use them."""

REFERENCES = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)

MISSING_PACKAGES = {
    "bootstrap/": "It belongs to Flask-Bootstrap, which this site does not have: draw the fields one by one.",
    "admin/": "It belongs to Flask-Admin, which this site does not have.",
    "security/": "It belongs to Flask-Security, which this site does not have.",
}
"""Hints about templates that belong to packages, by the beginning of their names."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """The site's endpoints, static files and objects.

    `attributes` are those of variables, on all pages; `fields` those of a page's form.
    """

    endpoints: Set[str]
    has_file: Callable[[str], bool]
    attributes: Mapping[str, Set[str]]
    fields: Mapping[str, Set[str]]


class TemplateProblem(NamedTuple):
    """A problem and its sentence for the log; `what` identifies it within the file."""

    place: Place
    what: str
    sentence: str


@dataclass
class CheckResult:
    """The problems, the unusable templates, the variables that any page has, and whether the layout is usable."""

    problems: list[TemplateProblem] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    given: set[str] = field(default_factory=set)
    layout_has_content: bool = True


def check(environment: Environment, own: FileSystemLoader, sites: FileSystemLoader, site: Site) -> CheckResult:
    """Check the templates of `own`, which take precedence over those of `sites`."""
    return _Check(environment, own, sites, site).run()


class _Check:
    def __init__(self, environment: Environment, own: FileSystemLoader, sites: FileSystemLoader, site: Site) -> None:
        self._environment = environment
        self._own, self._sites, self._site = own, sites, site
        self._found = CheckResult()
        self._trees: dict[tuple[bool, str], nodes.Template | None] = {}
        self._reach = cache(self._find_reach)  # many pages share templates
        self._given = cache(self._find_given)
        self._stored = cache(_stored)
        self._undeclared = cache(find_undeclared_variables)
        self._all_references = cache(_all_references)

    @cached_property
    def _files(self) -> set[str]:
        return {name for name in self._own.list_templates() if not name.startswith("static/")}

    @cached_property
    def _pages(self) -> list[str]:
        return [name for name in self._sites.list_templates() if "/" not in name and name != LAYOUT_TEMPLATE]

    def run(self) -> CheckResult:
        self._find_broken()
        reached: dict[str, set[str]] = {}
        for page in self._pages:
            for name in self._reach(page):
                if self._is_own(name):
                    reached.setdefault(name, set()).add(page)
        for name, pages in sorted(reached.items()):
            self._found.problems += self._in_template(name, pages)
        self._found.given.update(*map(self._given, self._pages))
        self._look_for_content()
        self._name_unused(reached.keys())
        self._found.problems.sort(key=lambda problem: problem.place)
        return self._found

    def _is_own(self, name: str) -> bool:
        return name in self._files and name not in self._found.broken

    def _exists(self, name: str) -> bool:
        return self._is_own(name) or name in self._sites.list_templates()

    def _tree(self, name: str, *, own: bool) -> nodes.Template | None:
        """Return the parsed template; None if it can't be read or does not exist."""
        key = own, name
        if key not in self._trees:
            self._trees[key] = None
            loader = self._own if own else self._sites
            try:
                source, filename, _ = loader.get_source(self._environment, name)
                tree = self._environment.parse(source, name, filename)
                if own:
                    self._environment.compile(source, name, filename)  # finds more, such as a block twice
                self._trees[key] = tree
            except TemplateNotFound:
                pass
            except TemplateSyntaxError as error:
                self._break(Place(name, error.lineno), f"can't be read: {error.message}")
            except UnicodeDecodeError:
                self._break(Place(name, 0), "can't be read: it is not in UTF-8. Save it so.")
            except Exception as error:  # noqa: BLE001  # from a file without permission to too deep an expression
                self._break(Place(name, 0), f"can't be read: {type(error).__name__}: {error}")
        return self._trees[key]

    def _break(self, place: Place, what: str) -> None:
        self._found.broken.add(place.template)
        instead = f"The site's own {place.template} is shown instead."
        if place.template not in self._sites.list_templates():
            instead = "What uses it is shown as the site has it."
        self._found.problems.append(TemplateProblem(place, "broken", f"{what.rstrip('.')}. {instead}"))

    def _find_broken(self) -> None:
        """Find the unusable templates, and those that are unusable without them."""
        for name in sorted(self._files):
            if name.endswith((".html", ".htm", ".jinja", ".jinja2", ".j2")):
                self._tree(name, own=True)
        before = -1
        while before != len(self._found.broken):
            before = len(self._found.broken)
            for name in sorted(self._files - self._found.broken):
                self._find_missing(name)

    def _find_missing(self, name: str) -> None:
        if (tree := self._trees.get((True, name))) is None:
            return
        for node in tree.find_all(REFERENCES):
            named = _references(node)
            if not named or getattr(node, "ignore_missing", False) or any(map(self._exists, named)):
                continue
            if not self._found.broken.isdisjoint(named):  # the other one's problem was reported
                self._found.broken.add(name)
            else:
                hint = next((hint for start, hint in MISSING_PACKAGES.items() if named[0].startswith(start)), "")
                what = f"needs the template “{named[0]}”, which can't be found. {hint}"
                self._break(Place(name, node.lineno), what.rstrip())
            return

    def _find_reach(self, page: str, *, own: bool = True) -> list[str]:
        """Return the templates that the page consists of, itself first; without `own`, only the site's."""
        reached: dict[str, None] = {}
        pending = [page]
        while pending:
            name = pending.pop()
            if name not in reached:
                reached[name] = None
                if (tree := self._tree(name, own=own and self._is_own(name))) is not None:
                    pending += self._all_references(tree)
        return list(reached)

    def _find_given(self, page: str) -> set[str]:
        """Return the variables that the page gives to its template."""
        given = {"csrf_token", "language", "languages", "here", "current_user", "session"} | EXTRA_VARIABLES.get(
            page, set()
        )
        for name in self._reach(page, own=False):
            if (tree := self._tree(name, own=False)) is not None:
                given |= self._undeclared(tree)
        for name, others in LISTS.items():
            if name in given:
                given.update(others, (FLAGS[name],))
        return given

    def _in_template(self, name: str, pages: Iterable[str]) -> Iterator[TemplateProblem]:
        tree = self._tree(name, own=True)
        if tree is None:
            return
        given, fields = set[str](), set[str]()
        for page in pages:
            given |= self._given(page)
            fields |= self._site.fields.get(page, set())
            for other in self._reach(page):
                if (one := self._tree(other, own=self._is_own(other))) is not None:
                    given |= self._stored(one)
        unknown = self._undeclared(tree) - given - _guarded(tree) - (_flags(tree) & self._site.endpoints)
        for node in tree.find_all(nodes.Name):
            if node.name in unknown and node.ctx == "load":
                unknown.remove(node.name)
                yield TemplateProblem(Place(name, node.lineno), f"name {node.name}", unknown_name(node.name))
        yield from self._filters(name, tree)
        yield from self._links(name, tree)
        attributes = dict(self._site.attributes)
        if fields:
            attributes["form"] = fields | FIELDS.keys()
        yield from _Attributes(name, attributes).visit(tree, {})

    def _filters(self, name: str, tree: nodes.Template) -> Iterator[TemplateProblem]:
        kinds = ((nodes.Filter, "filter", self._environment.filters), (nodes.Test, "test", self._environment.tests))
        for kind, word, known in kinds:
            for node in tree.find_all(kind):
                if node.name not in known:
                    sentence = (
                        f"uses the {word} “{node.name}”, which the site does not have: it does nothing. Remove it."
                    )
                    yield TemplateProblem(Place(name, node.lineno), f"{word} {node.name}", sentence)

    def _links(self, name: str, tree: nodes.Template) -> Iterator[TemplateProblem]:
        for call in tree.find_all(nodes.Call):
            if not isinstance(call.node, nodes.Name) or call.node.name != "url_for" or not call.args:
                continue
            if (endpoint := _text(call.args[0])) is None:
                continue
            target = next(iter(endpoints(endpoint, self._site.endpoints)), None)
            if target is None:
                yield TemplateProblem(Place(name, call.lineno), f"endpoint {endpoint}", unknown_endpoint(endpoint))
            for keyword in call.kwargs:
                file = _text(keyword.value)
                if target == "static" and keyword.key == "filename" and file and not self._site.has_file(file):
                    sentence = (
                        f"names the file “{file}”, which is not in the folder static of your templates. Put it there."
                    )
                    yield TemplateProblem(Place(name, call.lineno), f"file {file}", sentence)

    def _look_for_content(self) -> None:
        if not self._is_own(LAYOUT_TEMPLATE):
            return
        trees = [self._tree(name, own=self._is_own(name)) for name in self._reach(LAYOUT_TEMPLATE)]
        blocks = {block.name for tree in trees if tree is not None for block in tree.find_all(nodes.Block)}
        self._found.layout_has_content = CONTENT_BLOCK in blocks
        if CONTENT_BLOCK not in blocks:
            sentence = (
                f"has no block “{CONTENT_BLOCK}”: pages without a template of your own stand in the site's own layout."
            )
            self._found.problems.append(TemplateProblem(Place(LAYOUT_TEMPLATE, 0), "content", sentence))

    def _name_unused(self, used: Set[str]) -> None:
        unused = sorted(name for (own, name), tree in self._trees.items() if own and tree and name not in used)
        if unused and not self._found.broken:  # a broken template may use it
            others = f"Nor are {', '.join(unused[1:])}. " if unused[1:] else ""
            sentence = f"is never shown. {others}The site's pages are {', '.join(self._pages)}."
            self._found.problems.append(TemplateProblem(Place(unused[0], 0), "unused", sentence))


class _Attributes:
    """Finds unknown attributes of rows, forms, the session and `current_user`."""

    def __init__(self, template: str, attributes: Mapping[str, Set[str]]) -> None:
        self._template = template
        self._attributes = attributes

    def visit(self, node: nodes.Node, rows: Mapping[str, type]) -> Iterator[TemplateProblem]:
        """Yield the problems below the node; `rows` are the loop variables there, with the types of their rows."""
        if isinstance(node, nodes.For):
            yield from self.visit(node.iter, rows)
            rows = _without(rows, node.target)
            if isinstance(node.target, nodes.Name) and (item := _item(node.iter)) is not None:
                rows = {**rows, node.target.name: item}
            for child in (node.test, *node.body, *node.else_):
                if child is not None:
                    yield from self.visit(child, rows)
            return
        if isinstance(node, nodes.Getattr | nodes.Getitem) and (name := _attribute(node)) is not None:
            known = self._known(node.node, rows)
            if known is not None and name not in known:
                yield TemplateProblem(Place(self._template, node.lineno), f"name {name}", _unknown_attribute(name))
            elif isinstance(node.node, nodes.Name) and node.node.name not in rows and _item(node.node):
                of = node.node.name
                sentence = f"shows “{of}.{name}”, but “{of}” is a list here: go through it with for."
                yield TemplateProblem(Place(self._template, node.lineno), f"name {name}", sentence)
        for child in node.iter_child_nodes():
            yield from self.visit(child, rows)

    def _known(self, node: nodes.Node, rows: Mapping[str, type]) -> Set[str] | None:
        """Return the attributes of the expression's object; None if they are unknown."""
        while isinstance(node, nodes.Getattr | nodes.Getitem) and _attribute(node) in JOINED:
            node = node.node
        if not isinstance(node, nodes.Name):
            return None
        if node.name in rows:
            return attributes_of(rows[node.name])
        return self._attributes.get(node.name)


def _all_references(tree: nodes.Template) -> list[str]:
    return [one for node in tree.find_all(REFERENCES) for one in _references(node)]


def _references(node: nodes.Node) -> list[str]:
    """Return the names of the referenced templates, any of which suffices; empty if the name is an expression."""
    named = node.template  # type: ignore[attr-defined]  # all of REFERENCES have one
    if isinstance(named, nodes.List | nodes.Tuple):
        return [file_name(text) for one in named.items if (text := _text(one)) is not None]
    if isinstance(named, nodes.Const) and isinstance(named.value, list | tuple):
        return [file_name(one) for one in named.value if isinstance(one, str)]
    text = _text(named)
    return [] if text is None else [file_name(text)]


def _stored(tree: nodes.Template) -> set[str]:
    """Return the variables that the template sets, for itself and the templates that it includes."""
    return {node.name for node in tree.find_all(nodes.Name) if node.ctx != "load"}


def _guarded(tree: nodes.Template) -> set[str]:
    """Return the variables that the template expects to be missing."""
    tests = (node.node for node in tree.find_all(nodes.Test) if node.name in ("defined", "undefined", "none"))
    filters = (node.node for node in tree.find_all(nodes.Filter) if node.name in ("default", "d"))
    return {node.name for node in (*tests, *filters) if isinstance(node, nodes.Name)}


def _flags(tree: nodes.Template) -> set[str]:
    """Return the variables that are used only as conditions, like the flag of the current page."""
    tests = [*(node.test for node in tree.find_all(nodes.If)), *(node.test for node in tree.find_all(nodes.CondExpr))]
    conditions = [node.node if isinstance(node, nodes.Not) else node for node in tests]
    flags = [node for node in conditions if isinstance(node, nodes.Name)]
    others = {node.name for node in tree.find_all(nodes.Name) if not any(node is flag for flag in flags)}
    return {node.name for node in flags} - others


def _item(node: nodes.Node) -> type | None:
    """Return the type of the rows if the expression is one of the page's lists."""
    if not isinstance(node, nodes.Name):
        return None
    known = (name for name, others in LISTS.items() if node.name in (name, *others, FLAGS[name]))
    return next((ITEMS[name] for name in known), None)


def _without(rows: Mapping[str, type], target: nodes.Node) -> dict[str, type]:
    taken = {node.name for node in (target, *target.find_all(nodes.Name)) if isinstance(node, nodes.Name)}
    return {name: item for name, item in rows.items() if name not in taken}


def _attribute(node: nodes.Getattr | nodes.Getitem) -> str | None:
    return node.attr if isinstance(node, nodes.Getattr) else _text(node.arg)


def _text(node: nodes.Node) -> str | None:
    return node.value if isinstance(node, nodes.Const) and isinstance(node.value, str) else None


def _unknown_attribute(name: str) -> str:
    if name == "password":
        return "shows “password”, which no page gives away: nothing is shown there. Remove it."
    return unknown_name(name)

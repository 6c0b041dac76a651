"""Matches the columns of a file with the fields of a form, by their names or as someone has chosen."""

from collections.abc import Mapping, Sequence
from typing import IO

from quart_enroll.domain.formatting import shortened
from quart_enroll.domain.stored_import import FileColumn
from quart_enroll.forms.imports import columns
from quart_enroll.forms.imports.base import ImportRow
from quart_enroll.forms.imports.table import Table, UnreadableFile
from quart_enroll.forms.imports.table_reader import read_table
from quart_enroll.i18n.language import Sentence, plural

MAX_NAMED_COLUMNS = 20
"""Columns that a message names."""

MAX_EXAMPLES = 3
"""Values of a column that are shown to the person who matches it."""

IGNORED = ""
"""What is chosen for a column that is not to be read."""


def read_file(form: type[ImportRow], filename: str, file: IO[bytes]) -> Table:
    """Read the file as a table; raise UnreadableFile."""
    known = columns.fields_by_key(form)
    return read_table(filename, file, lambda text: columns.key(text) in known)


def label(table: Table, place: int) -> str:
    """Return the name of a column on one line."""
    return " ".join(table.header.cells[place].split())


def propose(form: type[ImportRow], table: Table) -> list[FileColumn]:
    """Return the columns that have a name, each with the field that its name means; of two alike, the first has it."""
    known, taken = columns.fields_by_key(form), set[str]()
    found = []
    for place, text in enumerate(table.header.cells):
        if name := label(table, place):
            field = known.get(columns.key(text), IGNORED)
            found.append(FileColumn(name, IGNORED if field in taken else field, _examples(table, place)))
            taken.add(field)
    return found


def _examples(table: Table, place: int) -> list[str]:
    different: dict[str, None] = {}
    for row in table.rows:
        if place < len(row.cells) and row.cells[place] not in (None, ""):
            different[str(row.cells[place])] = None
            if len(different) == MAX_EXAMPLES:
                break
    return [shortened(text) for text in different]


def fields_of_columns(form: type[ImportRow], table: Table, chosen: Mapping[str, str]) -> dict[int, str]:
    """Return the field of each column that has one; raise UnreadableFile with everything wrong in the header.

    Columns whose labels are in `chosen` have the field there, or none if that is IGNORED. Other names are no choice.
    """
    header, known = table.header.cells, columns.fields_by_key(form)
    known_fields = {IGNORED, *(field.name for field in form())}
    chosen = {text: name for text, name in chosen.items() if name in known_fields}
    fields = {
        place: chosen.get(label(table, place)) or known.get(columns.key(text))
        for place, text in enumerate(header)
        if chosen.get(label(table, place)) != IGNORED
    }
    found = {place: name for place, name in fields.items() if name is not None}
    if not found:
        raise UnreadableFile(_no_header(form, table, known))
    unknown = [
        place
        for place, name in fields.items()
        if name is None and header[place] and header[place] not in columns.IGNORED_COLUMNS
    ]
    sentences = [*_nameless(table)]
    if unknown:
        sentences.append(_unknown(form, table, unknown))
    for name in dict.fromkeys(found.values()):
        same = [shortened(header[place]) for place, other in found.items() if other == name]
        if len(same) > 1:
            sentences.append(
                Sentence(
                    "The columns %(same)s would all be read as %(name)s. Keep only one of them.", same=same, name=name
                )
            )
    if lacks := columns.missing(form, found.values()):
        sentences.append(
            plural(
                "The column %(names)s must be in the file.",
                "The columns %(names)s must be in the file.",
                len(lacks),
                names=lacks,
            )
        )
    if sentences:
        raise UnreadableFile(*sentences)
    return found


def _unknown(form: type[ImportRow], table: Table, unknown: Sequence[int]) -> Sentence:
    named = [f"{shortened(table.header.cells[place])}{_first_row(table, place)}" for place in unknown]
    rest = len(named) - MAX_NAMED_COLUMNS
    names: Sequence[str] | Sentence = named
    if rest > 0:
        first = ", ".join(named[:MAX_NAMED_COLUMNS])
        names = Sentence("%(names)s and %(rest)s more", names=first, rest=str(rest))
    return plural(
        "Unknown column: %(names)s. Remove or rename it. The columns may be %(may_be)s.",
        "Unknown columns: %(names)s. Remove or rename them. The columns may be %(may_be)s.",
        len(unknown),
        names=names,
        may_be=", ".join(field.name for field in form()),
    )


def _no_header(form: type[ImportRow], table: Table, known: Mapping[str, str]) -> Sentence:
    names = ", ".join(columns.missing(form, ()))
    if not table.has_header:
        return Sentence("No object in the file has any of these: %(names)s.", names=names)
    for row in table.rows[:20]:
        if sum(columns.key(cell) in known for cell in row.cells) > 1:
            place = place_of(table.unit, row.number)
            return Sentence("The column names seem to be in %(place)s. Remove everything above them.", place=place)
    header = str(table.header.number)
    if table.unit == "line":
        return Sentence("Line %(line)s must have the column names, such as %(names)s.", line=header, names=names)
    return Sentence("Row %(row)s must have the column names, such as %(names)s.", row=header, names=names)


def place_of(unit: str, number: int) -> Sentence:
    """Return the place of a row in its file, within a sentence."""
    if unit == "line":
        return Sentence("line %(number)s", number=str(number))
    return Sentence("row %(number)s", number=str(number))


def _nameless(table: Table) -> list[Sentence]:
    """Return a sentence for each column that has text but no name; empty columns don't matter."""
    header = table.header.cells
    first: dict[int, tuple[int, str]] = {}
    for row in table.rows:
        for place, (name, text) in enumerate(zip(header, row.cells, strict=False)):
            if text and not name:
                first.setdefault(place, (row.number, shortened(text)))
    return [
        Sentence(
            "Column %(column)s has no name, but %(place)s has %(text)s in it. Name the column or remove it.",
            column=str(place + 1),
            place=place_of(table.unit, number),
            text=text,
        )
        for place, (number, text) in sorted(first.items())[:MAX_NAMED_COLUMNS]
    ]


def _first_row(table: Table, place: int) -> str:
    """Return the first object of a JSON file that has the name; elsewhere all names are in the header."""
    if table.has_header:
        return ""
    return next((f" (row {row.number})" for row in table.rows if row.cells[place] is not None), "")

"""Reads a JSON list of objects as a table; only a part of the text at a time is in memory."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, TextIO

from quart_enroll.domain.readable_text import storable
from quart_enroll.forms.imports.file_text import FileText
from quart_enroll.forms.imports.sheet_program import MAX_ROWS
from quart_enroll.forms.imports.table import TOO_MANY, Table, TableRow, UnreadableFile, clean, not_empty
from quart_enroll.i18n.language import Sentence
from quart_enroll.system.compact_list import CompactList

NO_LIST = Sentence("JSON must be a list of objects, like [{…}, {…}].")

MAX_JSON_PARTS = 5 * MAX_ROWS
"""Objects and lists in a JSON file, which takes many times its own length in memory: a row may contain some."""

MAX_JSON_COLUMNS = 1000
"""Different names in the objects of a JSON file: each object gets a cell for each of them."""

BUFFER_CHARACTERS = 64 * 1024

NUMBER_END_CHARACTERS = 2
"""Characters after a number that may belong to it: 1 goes on with .5 or e+5."""

_BLANKS = re.compile(r"[ \t\n\r]*")


def read_json(text: FileText) -> Table:
    """Read the table; raise UnreadableFile."""
    try:
        with text.open() as characters:
            items = CompactList(json_items(characters))
    except json.JSONDecodeError as error:
        is_list_missing = error.msg == "Extra data"
        hint = Sentence("Put all objects into one list, like [{…}, {…}]") if is_list_missing else error.msg
        sentence = Sentence("Line %(line)s is not valid JSON: %(hint)s.", line=str(error.lineno), hint=hint)
        raise UnreadableFile(sentence) from None
    except (ValueError, RecursionError):
        sentence = Sentence("The JSON has a number with too many digits, or lists nested too deeply.")
        raise UnreadableFile(sentence) from None
    labels = _labels(items)
    rows = (TableRow(number, [clean(item.get(label)) for label in labels]) for number, item in enumerate(items, 1))
    return Table("row", TableRow(0, labels), CompactList(not_empty(rows)), text.notes)


def _labels(items: CompactList[Any]) -> list[str]:
    """Return the names in all objects, each once; raise UnreadableFile if there is anything but objects."""
    found: dict[str, None] = {}
    for item in items:
        if not isinstance(item, dict):
            raise UnreadableFile(NO_LIST)
        found |= dict.fromkeys(item)
    if len(found) > MAX_JSON_COLUMNS:
        raise UnreadableFile(
            Sentence(
                "The objects have %(number)s different names, and %(most)s at most are read.",
                number=str(len(found)),
                most=str(MAX_JSON_COLUMNS),
            )
        )
    return list(found)


def json_items(text: TextIO, buffer_characters: int = BUFFER_CHARACTERS) -> Iterator[Any]:
    """Yield the items of a JSON list one by one, because all of them at once would fill the memory.

    Raises what json.loads raises, and UnreadableFile if the text is not a list.
    """
    buffer = _JsonBuffer(text, buffer_characters)
    is_list = buffer.next_character() == "["
    if is_list:
        yield from _items(buffer)
    else:
        buffer.take_value(json.JSONDecoder())
    if buffer.next_character():
        raise buffer.error("Extra data")
    if not is_list:
        raise UnreadableFile(NO_LIST)


def _items(buffer: "_JsonBuffer") -> Iterator[Any]:
    """Yield the items of the list that begins here, and pass over its end."""
    decoder = json.JSONDecoder(object_pairs_hook=_object)
    buffer.skip_character()
    is_end = buffer.next_character() == "]"
    while not is_end:
        yield buffer.take_value(decoder)
        is_end = buffer.next_character() == "]"
        if not is_end:
            if buffer.next_character() != ",":
                raise buffer.error("Expecting ',' delimiter")
            buffer.skip_character()
            buffer.next_character()  # passes over blanks
    buffer.skip_character()


class _JsonBuffer:
    """The part of a JSON text that is being read; it grows until it has a whole value."""

    def __init__(self, text: TextIO, characters: int) -> None:
        self._file = text
        self._least = characters
        self._text = ""
        self._place = 0
        self._passed_lines = 0
        self._parts = 0

    def next_character(self) -> str:
        """Pass over blanks, and return the character after them; none at the end."""
        while True:
            if blanks := _BLANKS.match(self._text, self._place):
                self._place = blanks.end()
            if self._place < len(self._text) or not self._read_on():
                return self._text[self._place : self._place + 1]

    def skip_character(self) -> None:
        """Pass over the next character."""
        self._place += 1

    def take_value(self, decoder: json.JSONDecoder) -> Any:
        """Return the value that begins here, and pass over it; raise JSONDecodeError."""
        while True:
            try:
                value, end = decoder.raw_decode(self._text, self._place)
            except json.JSONDecodeError as error:
                if not self._read_on():
                    raise self.error(error.msg, error.pos) from None
            else:
                if end + NUMBER_END_CHARACTERS < len(self._text) or not self._read_on():
                    self._place = end
                    return value

    def error(self, message: str, place: int | None = None) -> json.JSONDecodeError:
        """Return an error in the line of this place, or of the next character."""
        error = json.JSONDecodeError(message, self._text, self._place if place is None else place)
        error.lineno += self._passed_lines
        return error

    def _read_on(self) -> bool:
        """Read as much again as is left, and discard the part already read; return False at the end of the text."""
        more = self._file.read(max(self._least, len(self._text) - self._place))
        self._parts += more.count("{") + more.count("[")
        if self._parts > MAX_JSON_PARTS:
            raise UnreadableFile(TOO_MANY)
        if more:
            self._passed_lines += self._text.count("\n", 0, self._place)
            self._text, self._place = self._text[self._place :] + more, 0
        return bool(more)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    pairs = [(storable(name), storable(value)) for name, value in pairs]
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise UnreadableFile(Sentence("A JSON object has “%(name)s” twice.", name=twice))
    return found

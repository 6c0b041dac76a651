"""The text of a file that doesn't state its encoding; only a part at a time is in memory.

Only what is certain is detected. Nothing is guessed from letter frequencies: a wrong guess would store wrong names, and
nobody would notice.
"""

import re
from codecs import getincrementaldecoder
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from io import IncrementalNewlineDecoder, TextIOWrapper
from typing import IO

from quart_enroll.forms.imports.table import UnreadableFile, save_as_csv
from quart_enroll.i18n.language import Sentence

BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}

CHUNK_SIZE = 64 * 1024
"""Bytes or characters that are looked at together."""

MAX_EXAMPLE_CHARACTERS = 40

MAX_LETTER_BYTES = 4
"""Bytes of a letter in UTF-8."""

MAX_WORD_BYTES = 1000
"""Bytes before a letter in which its word is looked for."""

_NOT_ASCII = re.compile(r"[\w’'-]*[^\x00-\x7f][\w’'-]*")
_UTF_8 = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


@dataclass(frozen=True, slots=True)
class FileText:
    """The text in a file from its byte `start` on; `notes` are sentences about assumptions."""

    file: IO[bytes]
    encoding: str
    start: int = 0
    notes: Sequence[Sentence] = ()

    @contextmanager
    def open(self) -> Iterator[TextIOWrapper]:
        """Read the text from its beginning, with its line breaks as they are."""
        self.file.seek(self.start)
        text = TextIOWrapper(self.file, self.encoding, newline="")
        try:
            yield text
        finally:
            text.detach()  # or else the file would be closed

    def parts(self) -> Iterator[str]:
        """Yield the text in parts."""
        with self.open() as text:
            yield from iter(partial(text.read, CHUNK_SIZE), "")

    def first_character(self) -> str:
        """Return the first character that isn't blank, if there is one."""
        return next((stripped[0] for part in self.parts() if (stripped := part.lstrip())), "")


def decode(file: IO[bytes]) -> FileText:
    """Return the text of the file; raise UnreadableFile."""
    file.seek(0)
    beginning = file.read(max(map(len, BYTE_ORDER_MARKS)))
    mark = next((mark for mark in BYTE_ORDER_MARKS if beginning.startswith(mark)), b"")
    text = FileText(file, BYTE_ORDER_MARKS.get(mark, "utf-8"), len(mark))
    if not mark and 0 in beginning[:2]:  # in UTF-16, one of the first two bytes of a column name is zero
        encoding = "utf-16-be" if beginning[0] == 0 else "utf-16-le"
        note = Sentence("The file was read as %(encoding)s.", encoding=encoding[:-3].upper())
        text = FileText(file, encoding, notes=[note])
    wrong = _find_wrong_byte(text)
    if wrong is not None:
        if mark or text.encoding != "utf-8":
            raise UnreadableFile(_broken(text, wrong))
        text = _as_windows(text, wrong)
    if any("\0" in part for part in text.parts()):
        raise save_as_csv(Sentence("This is not a text file."))
    return text


def _find_wrong_byte(text: FileText) -> int | None:
    """Return the place of the first byte that the encoding doesn't have there, or None."""
    decoder = getincrementaldecoder(text.encoding)()
    text.file.seek(text.start)
    try:
        while data := text.file.read(CHUNK_SIZE):
            decoder.decode(data)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return text.file.tell() - len(error.object) + error.start
    return None


def _as_windows(text: FileText, first: int) -> FileText:
    """Return the text as Windows-1252; its first byte that isn't UTF-8 is the `first`."""
    windows = replace(text, encoding="windows-1252")
    stray = _find_wrong_byte(windows)
    if stray is not None:
        raise UnreadableFile(_broken(windows, stray))
    if _has_utf_8(text.file):  # parts of the file come from different programs, so no encoding fits all of it
        raise UnreadableFile(_broken(windows, first))
    text.file.seek(max(0, first - MAX_WORD_BYTES))
    [example, *_] = _NOT_ASCII.findall(text.file.read(2 * MAX_WORD_BYTES).decode("windows-1252"))
    note = Sentence(
        "The file was read as Windows-1252. Check “%(example)s” on line %(line)s: "
        "if that is wrong, save the file as “CSV UTF-8” and import it again.",
        example=example[:MAX_EXAMPLE_CHARACTERS],
        line=_line(windows, first),
    )
    return replace(windows, notes=[note])


def _has_utf_8(file: IO[bytes]) -> bool:
    """Return whether any bytes can be a letter in UTF-8 beyond ASCII."""
    file.seek(0)
    window = b""
    while data := file.read(CHUNK_SIZE):
        window = window[1 - MAX_LETTER_BYTES :] + data
        if _UTF_8.search(window):
            return True
    return False


def _broken(text: FileText, place: int) -> Sentence:
    return Sentence(
        "Line %(line)s has characters whose encoding can’t be determined. Save the file as “CSV UTF-8” and import that "
        "file.",
        line=_line(text, place),
    )


def _line(text: FileText, place: int) -> str:
    """Return the number of the line with the byte at this place, without separators of thousands."""
    decoder = IncrementalNewlineDecoder(getincrementaldecoder(text.encoding)("replace"), translate=True)
    text.file.seek(text.start)
    number = 1
    while data := text.file.read(min(CHUNK_SIZE, place - text.file.tell())):
        number += decoder.decode(data).count("\n")
    return str(number + decoder.decode(b"", final=True).count("\n"))

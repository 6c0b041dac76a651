"""A list of many small objects that takes little memory, such as the rows of a large file or their outcomes."""

import pickle
import weakref
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from tempfile import SpooledTemporaryFile
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")

CHUNK_ITEMS = 500
"""Items that are compressed together."""

MAX_BYTES_IN_MEMORY = 256 * 1024
"""Compressed bytes beyond which a list is moved to a temporary file."""

_FASTEST = 1


class CompactList(Sequence[T], Generic[T]):
    """Items in chunks of compressed bytes, of which one at a time is unpacked; a long list is in a temporary file.

    Reading it from its beginning to its end is fast, also in slices. Each reading yields new copies of the items, so
    they have to be values that can be pickled. Only one thread at a time may use the list.
    """

    def __init__(self, items: Iterable[T] = ()) -> None:
        self._file = SpooledTemporaryFile(MAX_BYTES_IN_MEMORY)  # noqa: SIM115  # closed with the list
        weakref.finalize(self, self._file.close)
        self._ends = array("Q")  # where each chunk ends in the file
        self._last: list[T] = []  # not compressed yet
        self._unpacked: tuple[int, list[T]] = (-1, [])
        self.extend(items)

    def append(self, item: T) -> None:
        """Add an item at the end."""
        self._last.append(item)
        if len(self._last) == CHUNK_ITEMS:
            self._file.seek(self._start(len(self._ends)))
            self._file.write(zlib.compress(pickle.dumps(self._last), _FASTEST))
            self._ends.append(self._file.tell())
            self._last = []

    def extend(self, items: Iterable[T]) -> None:
        """Add items at the end."""
        for item in items:
            self.append(item)

    def __len__(self) -> int:
        return CHUNK_ITEMS * len(self._ends) + len(self._last)

    def __iter__(self) -> Iterator[T]:
        for number in range(len(self._ends)):
            yield from self._unpack(number)
        yield from self._last

    @overload
    def __getitem__(self, place: int) -> T: ...

    @overload
    def __getitem__(self, place: slice) -> list[T]: ...

    def __getitem__(self, place: int | slice) -> T | list[T]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        number, within = divmod(range(len(self))[place], CHUNK_ITEMS)
        if number == len(self._ends):
            return self._last[within]
        if self._unpacked[0] != number:
            self._unpacked = number, self._unpack(number)
        return self._unpacked[1][within]

    def _start(self, number: int) -> int:
        return self._ends[number - 1] if number else 0

    def _unpack(self, number: int) -> list[Any]:
        start = self._start(number)
        self._file.seek(start)
        chunk = self._file.read(self._ends[number] - start)
        found: list[Any] = pickle.loads(zlib.decompress(chunk))  # noqa: S301  # this process has packed it
        return found

"""A list of many small objects that takes little memory, such as the rows of a large file or their outcomes."""

import pickle
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")

CHUNK_ITEMS = 500
"""Items that are compressed together."""

_FASTEST = 1


class CompactList(Sequence[T], Generic[T]):
    """Items in chunks of compressed bytes, of which one at a time is unpacked.

    Reading it from its beginning to its end is fast, also in slices. Each reading yields new copies of the items, so
    they have to be values that can be pickled.
    """

    def __init__(self, items: Iterable[T] = ()) -> None:
        self._chunks: list[bytes] = []
        self._last: list[T] = []  # not compressed yet
        self._unpacked: tuple[int, list[T]] = (-1, [])
        self.extend(items)

    def append(self, item: T) -> None:
        """Add an item at the end."""
        self._last.append(item)
        if len(self._last) == CHUNK_ITEMS:
            self._chunks.append(zlib.compress(pickle.dumps(self._last), _FASTEST))
            self._last = []

    def extend(self, items: Iterable[T]) -> None:
        """Add items at the end."""
        for item in items:
            self.append(item)

    def __len__(self) -> int:
        return CHUNK_ITEMS * len(self._chunks) + len(self._last)

    def __iter__(self) -> Iterator[T]:
        for chunk in self._chunks:
            yield from _unpack(chunk)
        yield from self._last

    @overload
    def __getitem__(self, place: int) -> T: ...

    @overload
    def __getitem__(self, place: slice) -> list[T]: ...

    def __getitem__(self, place: int | slice) -> T | list[T]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        number, within = divmod(range(len(self))[place], CHUNK_ITEMS)
        if number == len(self._chunks):
            return self._last[within]
        if self._unpacked[0] != number:
            self._unpacked = number, _unpack(self._chunks[number])
        return self._unpacked[1][within]


def _unpack(chunk: bytes) -> list[Any]:
    found: list[Any] = pickle.loads(zlib.decompress(chunk))  # noqa: S301  # this process has packed it
    return found

"""Stores sentences untranslated, as the English message with its values, so that each reader sees their language."""

from datetime import datetime
from typing import Any

from quart_enroll.db.queries.earlier_messages import reword
from quart_enroll.i18n.language import Days, Hours, LastDay, Moment, NameList, Sentence, TermName, Value

SENTENCE_SCHEMA = {"bsonType": ["object", "string", "null"]}
"""Earlier versions of the site, which were only in English, stored plain text."""


def encode(sentence: Sentence | None) -> Any:
    """Return the sentence as it is stored."""
    return None if sentence is None else _encode(sentence)


def encode_text(text: str | Sentence) -> Any:
    """Return a text, or a sentence, as it is stored."""
    return _encode(text)


def decode_text(stored: Any) -> str | Sentence:
    """Read a stored text or sentence; return an empty text if it is unreadable."""
    found = _decode(stored)
    return found if isinstance(found, str | Sentence) else ""


def decode(stored: Any) -> Sentence | None:
    """Read a stored sentence; return None if it is missing or unreadable."""
    if not stored:
        return None
    if isinstance(stored, str):
        return Sentence(stored)
    found = _decode(stored)
    return found if isinstance(found, Sentence) else None


def _encode(value: Value) -> Any:
    match value:
        case Sentence():
            values = {name: _encode(one) for name, one in value.values.items()}
            return {"message": value.message, "plural": value.plural, "values": values}
        case TermName():
            return {"term": value.term}
        case Moment():
            return {"at": value.at, "timezone": value.timezone}
        case LastDay():
            return {"ends_at": value.ends_at, "timezone": value.timezone}
        case Days():
            return {"days": value.days}
        case Hours():
            return {"start": value.start, "end": value.end}
        case NameList():
            return {"names": [_encode(one) for one in value.items], "joiner": value.joiner}
        case list() | tuple():
            return list(map(str, value))
        case _:
            return value


def _decode(stored: Any) -> Value:
    match stored:
        case {"message": str(message), "plural": str(plural), "values": dict(values)}:
            message, plural, values = reword(message, plural, values)
            sentence = Sentence(message, **{name: _decode(one) for name, one in values.items()})
            sentence.plural = plural
            return sentence
        case {"term": str(term)}:
            return TermName(term)
        case {"at": datetime() as at, "timezone": str(timezone)}:
            return Moment(at, timezone)
        case {"ends_at": datetime() as ends_at, "timezone": str(timezone)}:
            return LastDay(ends_at, timezone)
        case {"days": str(days)}:
            return Days(days)
        case {"start": str(start), "end": str(end)}:
            return Hours(start, end)
        case {"names": list(names), "joiner": "and" | "or" as joiner}:
            decoded = map(_decode, names)
            kept = NameList | Sentence | TermName
            return NameList(tuple(one if isinstance(one, kept) else str(one) for one in decoded), joiner)
        case list():
            return tuple(map(str, stored))
        case str() | int() | float():
            return stored
        case _:
            return ""

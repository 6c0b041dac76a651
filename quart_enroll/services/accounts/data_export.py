"""Everything stored about a user, as a JSON file for that user."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Any

from quart_enroll.db.client import Database
from quart_enroll.db.queries import user_data


def json_pieces(db: Database, user_id: int, now: datetime) -> AsyncGenerator[str, None]:
    """Yield the user's data as one JSON object, one line per document and one piece per batch.

    The brace that makes it valid JSON is the very last character, so a file that breaks off is recognizable. Raises one
    of client.DATABASE_UNAVAILABLE or client.DATABASE_REFUSED.
    """
    return _pieces(now, user_data.export_rows(db, user_id))


async def _pieces(
    at: datetime, found: AsyncGenerator[tuple[str, list[dict[str, Any]]], None]
) -> AsyncGenerator[str, None]:
    text, open_list = f'{{\n"at": {_json(at)}', ""
    async with aclosing(found):
        async for name, rows in found:
            if name == "user":
                text += f',\n"user": {_json(next(iter(rows), None))}'
            else:
                if name != open_list:
                    text += f'{_end(open_list)},\n"{name}": ['
                    separator, open_list = "\n", name
                for row in rows:
                    text += separator + _json(row)
                    separator = ",\n"
            yield text
            text = ""
    yield f"{_end(open_list)}\n}}"


def _end(open_list: str) -> str:
    return "\n]" if open_list else ""


def _json(value: object) -> str:
    return json.dumps(value, default=_text, ensure_ascii=False)


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)

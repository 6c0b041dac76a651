"""The field for a spreadsheet, in forms that read one."""

from typing import Any

from wtforms import FileField

from quart_enroll.forms.imports.table_reader import MAX_FILE_BYTES, TOO_LARGE


class SpreadsheetField(FileField):
    """A file that `table_reader` may be able to read; in the browser, a script refuses one that is too large."""

    def __init__(self, label: str, description: str, **facts: Any) -> None:
        attributes = {
            "accept": ".xlsx,.csv,.txt,.tsv,.json",
            "data-max-bytes": str(MAX_FILE_BYTES),
            "data-too-large": TOO_LARGE,
        }
        super().__init__(label, description=description, render_kw=attributes, **facts)

"""What a registrar does on the pages of imports."""

import io
import re
from collections.abc import Sequence

from openpyxl import Workbook
from playwright.async_api import Page, expect

WORK_MILLISECONDS = 20_000
"""How long the site may work in the background before the page shows the result."""

Rows = Sequence[Sequence[object]]


async def expect_refusal(page: Page, kind: str, columns: Sequence[str], rows: Rows, *, row: str, reason: str) -> None:
    """Read a file with a mistake, and go on to the form for another file."""
    await _check(page, kind, columns, rows)
    refused = page.get_by_role("table", name="Refused").get_by_role("row", name=row)
    await expect(refused).to_contain_text(reason, timeout=WORK_MILLISECONDS)
    await page.get_by_role("link", name="Import another file").click()


async def expect_too_large(page: Page) -> None:
    """Choose a file that is larger than the page allows, and see that it is not sent."""
    file = page.get_by_label("File", exact=True)
    await file.evaluate("input => input.dataset.maxBytes = 9")
    await file.set_input_files({"name": "big.csv", "mimeType": "text/csv", "buffer": b"1234567890"})
    await page.get_by_role("button", name="Upload file").click()
    await expect(file).to_be_focused()
    await expect(file).to_have_accessible_description(re.compile("The file is larger than 32 MB"))
    await page.reload()


async def import_workbook(page: Page, kind: str, columns: Sequence[str], rows: Rows) -> None:
    """Read a file without a mistake, and import it."""
    await _check(page, kind, columns, rows)
    await expect(page.get_by_role("table", name="Added").get_by_role("row")).to_have_count(
        len(rows) + 1, timeout=WORK_MILLISECONDS
    )
    await page.get_by_role("button", name="Import").click()
    await expect(page.get_by_role("status")).to_contain_text("Imported", timeout=WORK_MILLISECONDS)


async def _check(page: Page, kind: str, columns: Sequence[str], rows: Rows) -> None:
    """Upload the workbook and match its columns; only seats must be matched by hand."""
    await page.get_by_label("What is in the file?").select_option(kind)
    file = {"name": f"{kind}.xlsx", "mimeType": "application/octet-stream", "buffer": _workbook(columns, rows)}
    await page.get_by_label("File", exact=True).set_input_files(file)  # type: ignore[arg-type]  # a FilePayload
    await page.get_by_role("button", name="Upload file").click()
    if "Seats" in columns:
        await page.get_by_role("button", name="Check the file").click()
        await expect(page.get_by_role("alert")).to_contain_text("No column is matched with: capacity.")
        await page.get_by_label("Seats").select_option("capacity")
    await page.get_by_role("button", name="Check the file").click()


def _workbook(columns: Sequence[str], rows: Rows) -> bytes:
    book, file = Workbook(), io.BytesIO()
    for row in (columns, *rows):
        book.active.append(row)
    book.save(file)
    return file.getvalue()

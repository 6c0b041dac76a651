"""Reads the first sheet of an Excel workbook, in a process whose memory and time are limited."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, NamedTuple

from quart_enroll.forms.imports import sheet_program
from quart_enroll.system.compact_list import CompactList

READ_SECONDS = 120.0
"""Seconds after which a workbook is given up; 50,000 rows take about three."""


class Sheet(NamedTuple):
    """The rows of a sheet that aren't empty, each with its number, and the names of it and of the other sheets."""

    name: str
    others: Sequence[str]
    rows: Sequence[tuple[int, list[str]]]


class SheetTooLarge(Exception):
    """The workbook unpacks to more than is read, or takes too long."""


class SheetDamaged(Exception):
    """The bytes are not an Excel workbook, or one that is damaged or needs too much memory."""


def read_sheet(file: IO[bytes]) -> Sheet:
    """Return the first visible sheet of the workbook; raise SheetTooLarge or SheetDamaged."""
    program = [sys.executable, "-I", str(Path(sheet_program.__file__))]
    with TemporaryFile() as workbook, TemporaryFile() as output:
        file.seek(0)
        shutil.copyfileobj(file, workbook)  # the file may be in memory, and have no descriptor
        workbook.seek(0)
        try:
            done = subprocess.run(  # noqa: S603  # our own file
                program, stdin=workbook, stdout=output, stderr=subprocess.DEVNULL, timeout=READ_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise SheetTooLarge from error
        if done.returncode == sheet_program.EXIT_TOO_LARGE:
            raise SheetTooLarge
        if done.returncode:
            raise SheetDamaged
        output.seek(0)
        name, *others = json.loads(next(output))
        return Sheet(name, others, CompactList(tuple(json.loads(line)) for line in output))

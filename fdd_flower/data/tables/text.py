"""The text of a table: its encoding, its separator, and the lines that are no records."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections import Counter
from io import StringIO
from pathlib import Path

from fdd_flower.data.base import refuse
from fdd_flower.data.sources.paths import MOST_INFLATED

SEPARATORS = ("\t", ";", "|", ",")  # of two that fit alike the first: a comma may be a decimal one
BLANKS = r"\s+"
_LOOKED_AT = 100  # lines
_BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


def table_text(path: Path) -> tuple[str, str]:
    """Return header and records of a text table, without what is above them, and its separator.

    Lines that begin with `#`, a title above the header, and the `sep=;` of spreadsheets are left
    out; a header that begins with `#` loses it.

    Raises
    ------
    DataError
        If the file cannot be read, inflates to more than it may, or its encoding is not known.
    """
    lines = decoded(path, file_bytes(path)).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    named = re.fullmatch(r"sep=(.)", lines[0].strip()) if lines else None
    if named:
        lines = lines[1:]
    above = 0
    while above < len(lines) and (not lines[above].strip() or lines[above].startswith("#")):
        above += 1
    rest = lines[above:]
    full = [line for line in rest if line.strip()]
    separator = named[1] if named else separator_of(full)
    titles = _titles(full, separator)
    if titles:
        rest = full[titles:]
        separator = named[1] if named else separator_of(rest)
    last = lines[above - 1][1:] if above and lines[above - 1].startswith("#") else ""
    if rest and _is_header(last, rest[0], separator):
        rest = [last.strip(), *rest]
    if rest and not rest[0].startswith("#"):
        width = _width(rest[0], separator)
        rest = [
            line
            for line in rest
            if not line.startswith("#") or _width(line, separator) == width > 1
        ]
    return "\n".join(rest), separator


def file_bytes(path: Path) -> bytes:
    """Return the bytes of a file; of one that ends in `.gz` what is packed in it.

    Raises
    ------
    OSError
        If it cannot be read.
    DataError
        If it is damaged, or inflates to over a gibibyte and a hundred times its size.
    """
    if path.suffix.lower() != ".gz":
        return path.read_bytes()
    most = max(MOST_INFLATED, 100 * path.stat().st_size)
    try:
        with gzip.open(path) as packed:
            found = packed.read(most + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise refuse(
            str(path), expected="a gzip file", got=error, remedy="Copy or pack it again."
        ) from error
    if len(found) > most:
        raise refuse(
            str(path),
            expected=f"at most {most} bytes in memory",
            got="more",
            remedy="If the file is honest, unpack it.",
        )
    return found


def decoded(path: Path, data: bytes) -> str:
    """Return the text in `data`: UTF-8, UTF-16, or an older encoding.

    Raises
    ------
    DataError
        If no encoding fits.
    """
    known = next((name for bom, name in _BOMS.items() if data.startswith(bom)), None)
    if known is None and b"\0" in data[:200]:
        # of Latin letters one byte in two is 0
        known = "utf-16-le" if data[1:200:2].count(0) > data[0:200:2].count(0) else "utf-16-be"
    try:
        return data.decode(known or "utf-8")
    except UnicodeDecodeError as error:
        if known is None and (older := _older(data)):
            return data.decode(older, errors="replace")
        raise refuse(
            str(path),
            expected="a table that pandas can read, in UTF-8 or another known encoding",
            got=error,
            remedy="Save it again as UTF-8 CSV with a header line, or as Parquet.",
        ) from error


def _older(data: bytes) -> str:
    """Return the encoding from before Unicode that `data` is most likely in; empty: none."""
    from charset_normalizer import from_bytes

    found = from_bytes(data[:200_000])
    likely = [name for match in found for name in match.could_be_from_charset]
    # of the many that fit a few accents, that of most files
    return "cp1252" if "cp1252" in likely or "latin_1" in likely else next(iter(likely), "")


def separator_of(lines: list[str]) -> str:
    """Return what separates the cells: it gives the header and most lines the same number of them.

    >>> separator_of(["a;b", "1,5;2,5"])
    ';'
    """
    looked = lines[:_LOOKED_AT]
    if not looked:
        return ","

    def fit(separator: str) -> tuple[float, int]:
        widths = [_width(line, separator) for line in looked]
        return sum(width == widths[0] for width in widths) / len(widths), widths[0]

    fits = {separator: fit(separator) for separator in SEPARATORS}
    able = {separator: found for separator, found in fits.items() if found[1] > 1}
    if able:
        return max(able, key=lambda separator: able[separator])
    share, width = fit(BLANKS)
    return BLANKS if width > 1 and share == 1 and len(looked) > 1 else ","


def _titles(lines: list[str], separator: str) -> int:
    """Return how many lines above the header hold one cell where the others hold several."""
    found = 0
    # the last lines have no title among them
    separator = separator if len(lines) < 4 else separator_of(lines[len(lines) // 2 :])
    width = max((_width(line, separator) for line in lines[-3:]), default=1)
    while width > 1 and found < len(lines) - 2 and _filled(lines[found], separator) < 2:
        found += 1
    return found if found < 10 else 0


def _filled(line: str, separator: str) -> int:
    """Return how many cells of a line hold something."""
    if separator == BLANKS:
        return _width(line, separator)
    return sum(
        bool(cell.strip()) for cell in next(csv.reader(StringIO(line), delimiter=separator), [])
    )


def _width(line: str, separator: str) -> int:
    """Return how many cells a line has."""
    if separator == BLANKS:
        return len(line.split())
    return len(next(csv.reader(StringIO(line), delimiter=separator), []))


def _is_header(line: str, below: str, separator: str) -> bool:
    """Tell whether a comment is the header: as many names as the line below it has numbers."""
    if separator == BLANKS or not line.strip():
        return False
    names, cells = (
        next(csv.reader(StringIO(text), delimiter=separator), []) for text in (line, below)
    )
    return (
        len(names) == len(cells) > 1
        and any(is_number(cell) for cell in cells)
        and not any(is_number(name) for name in names)
    )


def repeated(header: str, separator: str) -> str:
    """Return the first name that a header has twice; empty: none.

    >>> repeated("age,sex,age", ",")
    'age'
    """
    if separator == BLANKS:
        names = header.split()
    else:
        names = next(csv.reader(StringIO(header), delimiter=separator, skipinitialspace=True), [])
    counts = Counter(name.strip() for name in names if name.strip())
    return next((name for name, count in counts.items() if count > 1), "")


def is_number(text: str) -> bool:
    """Tell whether a cell is a number.

    >>> is_number(" 5.1 "), is_number("age")
    (True, False)
    """
    try:
        float(text)
    except ValueError:
        return False
    return True

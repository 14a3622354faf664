"""A table's file as a frame of texts: a line is a record, and the header says how lines are cut."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fdd_flower.data.alone.cells import ALONE, text_of
from fdd_flower.data.base import refuse
from fdd_flower.data.sources.paths import check_inflated
from fdd_flower.data.tables.files import GAPS, TEXT, ending, feather_bytes, parquet_bytes
from fdd_flower.data.tables.text import file_bytes, separator_of
from fdd_flower.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

UNREADABLE = "\ufffd"
_AT_ONCE = 50_000  # rows, before their cells are packed


def frame_alone(path: Path, *, text: str, only: Collection[str] | None = None) -> pd.DataFrame:
    """Return the table in a file, each cell as text, None where it is missing; `attrs[ALONE]`.

    CSV is UTF-8, its first line names the columns, and each other line is a record; of one that
    cannot be read all cells are missing. Parquet and Feather say themselves of what type a column
    is.

    Parameters
    ----------
    text
        The column of the class, in which "NA" is a word.
    only
        The columns that are read, of those that are there; None: all.

    Raises
    ------
    DataError
        If the file is no such table, whatever its records are.
    """
    import pandas as pd
    import pyarrow as pa

    kind = ending(path)
    if kind not in (*TEXT, ".parquet", ".feather"):
        raise refuse(
            str(path),
            expected="CSV or Parquet under a privacy.mode, which say what is in a cell",
            got=kind or "no ending",
            remedy="Save the table as CSV in UTF-8, or as Parquet.",
        )
    wanted = None if only is None else {*only, text}
    try:
        read = _of_text if kind in TEXT else _of_arrow
        columns = read(path, text, wanted)
    # Parser errors of pyarrow, and bytes that are no UTF-8, are ValueErrors.
    except (OSError, OverflowError, ValueError, KeyError, csv.Error) as error:
        raise refuse(
            str(path),
            expected="a table whose first line names the columns, in UTF-8",
            got=error,
            remedy="Save it again as CSV in UTF-8, or as Parquet.",
        ) from error
    kinds = {pa.string(): pd.StringDtype("pyarrow")}
    frame = pa.table(columns).to_pandas(types_mapper=kinds.get)
    frame = frame.assign(**{text: frame[text].astype(object)}) if text in frame else frame
    frame.attrs[ALONE] = True
    return frame


def plain_values(column: pa.ChunkedArray) -> list[Any]:
    """Return cells as Python values; of one that Python has none for, as of a far date, a word."""

    def value_of(cell: Any) -> object:
        try:
            return cell.as_py()
        except (ValueError, OverflowError):
            return UNREADABLE

    return [value_of(cell) for cell in column]


def no_schema(what: str) -> DataError:
    """Return the error of a table that nothing but its own rows says the columns of."""
    return refuse(
        what,
        expected="a schema of the table from the server, under a privacy.mode",
        got="none",
        remedy="Let the server's own data be a table too, or name a schema in data.schema.",
    )


def _of_text(path: Path, text: str, wanted: Collection[str] | None) -> dict[str, pa.ChunkedArray]:
    import pyarrow as pa

    # a line ends in a line feed and nowhere else, however it is quoted
    lines = io.BytesIO(file_bytes(path))
    header = lines.readline().decode("utf-8-sig")
    separator = separator_of([header])
    names = [name.strip() for name in next(csv.reader([header], delimiter=separator), [])]
    known = [name for name in names if name]
    if len({*known}) < len(known):
        raise ValueError("two columns with the same name")
    places = {name: at for at, name in enumerate(names) if name}
    kept = {name: at for name, at in places.items() if wanted is None or name in wanted}
    gaps: dict[str, None] = dict.fromkeys(GAPS)
    packed: dict[str, list[pa.Array]] = {name: [] for name in kept}
    rows = (cells for line in lines if (cells := _cells(line, separator, len(names))))
    while some := list(islice(rows, _AT_ONCE)):
        for name, at in kept.items():
            cells = [row[at].strip() for row in some]
            found = [cell or None if name == text else gaps.get(cell, cell) for cell in cells]
            packed[name].append(pa.array(found, pa.string()))
    return {name: pa.chunked_array(parts, pa.string()) for name, parts in packed.items()}


def _cells(line: bytes, separator: str, width: int) -> Sequence[str]:
    """Return the cells of a line: none of one that holds nothing, and empty ones of a broken one.

    A line is broken if it is no UTF-8, ends within quotes, or has more or fewer cells than the
    header.
    """
    try:
        text = [line.decode()]
        row = next(csv.reader(text, delimiter=separator, skipinitialspace=True, strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        return [""] * width
    if not any(cell.strip() for cell in row):
        return []
    return row if len(row) == width else [""] * width


def _of_arrow(path: Path, text: str, wanted: Collection[str] | None) -> dict[str, pa.ChunkedArray]:
    import pyarrow as pa
    from pyarrow import feather, parquet

    del text  # a typed column says itself where nothing is
    if ending(path) == ".parquet":
        check_inflated(path, parquet_bytes(path))
        schema, read = parquet.read_schema(path), parquet.read_table
    else:
        check_inflated(path, feather_bytes(path))
        with pa.memory_map(str(path)) as mapped:
            schema = pa.ipc.open_file(mapped).schema
        read = feather.read_table
    index = (schema.pandas_metadata or {}).get("index_columns", [])
    names = {name.strip(): name for name in schema.names if name not in index}
    kept = [name for name in names if wanted is None or name in wanted]
    columns: dict[str, pa.ChunkedArray] = {}
    for name in kept:
        values = plain_values(read(path, columns=[names[name]]).column(0))
        columns[name] = pa.chunked_array([[text_of(value) for value in values]], pa.string())
    return columns

"""A table's file as a frame: CSV in its many forms, Parquet, Feather and Excel."""

from __future__ import annotations

import csv
import re
import zipfile
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fdd_flower.data.base import refuse, shown
from fdd_flower.data.sources.paths import check_inflated
from fdd_flower.data.tables.codes import may_hold_codes, with_codes
from fdd_flower.data.tables.numbers import Series, words
from fdd_flower.data.tables.text import BLANKS, repeated, table_text

if TYPE_CHECKING:
    import pandas as pd

TEXT = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".txt")
SUFFIXES = (*TEXT, ".parquet", ".feather", ".xlsx")
COMMA = "decimal-comma"  # of a frame's attrs: whether 1,5 is one and a half in its file
# what pandas takes for a missing cell
_NA = ("#N/A", "#NA", "N/A", "NA", "n/a", "<NA>")
GAPS = ("", *_NA, "NaN", "nan", "-NaN", "-nan", "NULL", "null", "None")
_WITH_COMMA = r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+"


def ending(path: Path) -> str:
    """Return the ending of a table's file, `.csv.gz` as a whole.

    >>> ending(Path("loans.2024.CSV.gz"))
    '.csv.gz'
    """
    last = path.suffix.lower()
    return Path(path.stem).suffix.lower() + last if last == ".gz" else last


def parquet_bytes(path: Path) -> int:
    """Return the least that a Parquet file takes in memory, as its own metadata says."""
    from pyarrow.parquet import read_metadata

    found = read_metadata(path)
    return 8 * found.num_rows * found.num_columns


def read_frame(path: Path, *, text: str = "") -> pd.DataFrame:
    """Return the table in a file, as pandas reads its cells; names of columns without blanks.

    Of a text file `attrs[COMMA]` says whether numbers have a decimal comma; they are then text.

    Parameters
    ----------
    text
        The column whose cells stay text as they are written, "NA" too, less blanks around.

    Raises
    ------
    DataError
        If the file is no table that pandas can read.
    """
    kind = ending(path)
    if kind not in SUFFIXES:
        raise refuse(
            str(path),
            expected=f"a file that ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}",
            got=kind or "no ending",
            remedy="Save the table as CSV or Parquet.",
        )
    try:
        frame = _read_text(path, text) if kind in TEXT else _read_binary(path, kind, text)
    # Parser errors of pandas and pyarrow are all ValueErrors.
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, csv.Error) as error:
        raise refuse(
            str(path),
            expected="a table that pandas can read",
            got=error,
            remedy="Save it again as UTF-8 CSV with a header line, or as Parquet.",
        ) from error
    return frame


def require_rows(path: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table of a file if it has a row.

    Raises
    ------
    DataError
        If it has none.
    """
    if not len(frame):
        raise refuse(
            str(path),
            expected="at least one row",
            got="none",
            remedy="Check how the file was written.",
        )
    return frame


def _read_text(path: Path, text: str) -> pd.DataFrame:
    found, separator = table_text(path)
    frame = _parsed(found, separator, text)
    if _has_decimal_comma(frame, separator, text):
        frame = _parsed(found, separator, text, as_words=True)
        frame.attrs[COMMA] = True
    elif may_hold_codes(found):
        frame = with_codes(frame, _parsed(found, separator, text, as_words=True))
    return frame


def _parsed(found: str, separator: str, text: str, *, as_words: bool = False) -> pd.DataFrame:
    import pandas as pd

    names = pd.read_csv(StringIO(found), sep=separator, nrows=0, skipinitialspace=True).columns
    if twice := repeated(found.split("\n", 1)[0], separator):
        raise ValueError(f"two columns called {twice!r}: give each a name of its own")
    own = [name for name in names if str(name).strip() == text]
    frame = pd.read_csv(
        StringIO(found),
        sep=separator,
        # blanks between cells are the separator itself
        skipinitialspace=separator != BLANKS,
        # words of the class, such as None, are no missing cells; and 1 is not 1.0
        na_values={name: GAPS for name in names if name not in own},
        keep_default_na=False,
        dtype=str if as_words else dict.fromkeys(own, str),
        low_memory=False,
    )
    if not isinstance(frame.index, pd.RangeIndex):
        # pandas made the first field an index, and every column holds its neighbour's.
        raise ValueError("rows with more fields than the header")
    frame.columns = frame.columns.map(lambda name: str(name).strip())
    # what separators at the ends of lines make
    empty = frame.columns[np.asarray(frame.isna().all())]
    blank = [name for name in empty if name.startswith("Unnamed: ")]
    return _with_text(frame.drop(columns=blank), text)


def _with_text(frame: pd.DataFrame, text: str) -> pd.DataFrame:
    """Return the frame with the column called `text` as words, None where there is none."""
    return frame.assign(**{text: words(frame[text])}) if text in frame.columns else frame


def _has_decimal_comma(frame: pd.DataFrame, separator: str, text: str) -> bool:
    """Tell whether a column can only be read with a comma before its decimals.

    1,234 beside semicolons is one and a bit; elsewhere it is a thousand and more.
    """
    from pandas.api.types import is_object_dtype, is_string_dtype

    for name in frame.columns:
        values: Series = frame[name].dropna()
        if name == text or not (is_object_dtype(values) or is_string_dtype(values)):
            continue
        commas = values[values.astype(str).str.contains(",", regex=False)].astype(str).str.strip()
        if not len(commas) or not commas.str.fullmatch(_WITH_COMMA).all():
            continue
        thousands = commas.map(lambda cell: len(cell) - cell.index(",") == 4)
        if separator == ";" or not thousands.all():
            return True
    return False


def _read_binary(path: Path, kind: str, text: str) -> pd.DataFrame:
    import pandas as pd

    if kind == ".parquet":
        check_inflated(path, parquet_bytes(path))
        frame = pd.read_parquet(path)
    elif kind == ".feather":
        check_inflated(path, feather_bytes(path))
        frame = pd.read_feather(path)
    else:
        frame = _read_excel(path)
    frame.columns = frame.columns.map(lambda name: str(name).strip())
    return _with_text(frame, text)


def feather_bytes(path: Path) -> int:
    """Return the least that a Feather file takes in memory."""
    import pyarrow as pa

    with pa.memory_map(str(path)) as mapped:
        found = pa.ipc.open_file(mapped)
        rows = sum(found.get_batch(i).num_rows for i in range(found.num_record_batches))
    return 8 * rows * len(found.schema)


def _read_excel(path: Path) -> pd.DataFrame:
    import pandas as pd

    with zipfile.ZipFile(path) as members:
        check_inflated(path, sum(member.file_size for member in members.infolist()))
    try:
        # as objects: pandas would make a number of the text 01067
        sheets = pd.read_excel(
            path,
            engine="openpyxl",
            keep_default_na=False,
            na_values=[""],
            dtype=object,
            sheet_name=None,
        )
    except ImportError as error:
        raise refuse(
            str(path),
            expected="the package openpyxl, which reads Excel files",
            got="none",
            remedy='Install it with pip install "fdd-flower[excel]", or save the sheet as CSV.',
        ) from error
    full = [name for name, sheet in sheets.items() if len(sheet.dropna(how="all"))]
    if len(full) > 1:
        raise refuse(
            str(path),
            expected="one sheet with rows",
            got=f"{len(full)}: {shown(map(repr, full))}",
            remedy="Save the one that holds the records by itself, as CSV or in a file of its own.",
        )
    return sheets[(full or [*sheets])[0]].infer_objects()


def headless(columns: list[str]) -> bool:
    """Tell whether names of columns look like a record: numbers that no one calls a column by.

    >>> headless(["5.1", "3.5", "setosa"]), headless(["0", "1", "label"])
    (True, False)
    """
    return any(re.fullmatch(r"[+-]?\d+[.,]\d+(\.\d+)?|-\d+", name) for name in columns)

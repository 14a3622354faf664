"""The splits of what `datasets` reads: a name on the hub, a local folder or file, saved Arrow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fdd_flower.data.base import refuse, shown
from fdd_flower.data.tables.files import COMMA, TEXT, ending, read_frame
from fdd_flower.errors import DataError

if TYPE_CHECKING:
    import datasets

SAVED = ("dataset_dict.json", "state.json")  # what `save_to_disk` leaves
KINDS = {
    ".json": "json",
    ".jsonl": "json",
    ".parquet": "parquet",
    ".arrow": "arrow",
}
TYPED = (".parquet", ".arrow")
VALIDATION = ("validation", "valid", "val", "dev")


def load_splits(
    path: str, label: str, scratch: Path, *, alone: bool = False
) -> tuple[datasets.DatasetDict, list[str]]:
    """Return the splits `train` and perhaps `test` of a data set, and what was made of others.

    A validation split is trained on where there is a test split with labels, and tested on where
    there is none.

    Parameters
    ----------
    path
        A file or folder; or a name on the hub, with `:` and the configuration if it has several.
    label
        The column with the class: a split in which all are -1 or missing has no labels.
    scratch
        Where `datasets` may copy the records of a file or folder to.
    alone
        Whether only the split to train on is read, and only from files that say of what type a
        column is: of others `datasets` takes it from their records.

    Raises
    ------
    DataError
        If `datasets` is not installed, it cannot read this, or there is no split to train on.
    """
    try:
        import datasets
    except ImportError as error:
        raise refuse(
            "data.name=hub",
            expected="the package datasets",
            got="none",
            remedy="Install it: pip install datasets.",
        ) from error
    shows = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()  # a run has a bar of its own
    try:
        local = os.path.exists(path)
        if alone:
            _check_typed(path)
        found: Any = _local(Path(path), label, scratch) if local else _remote(path)
    except DataError:
        raise
    # anything may go wrong in a loader of another's files
    except Exception as error:
        raise refuse(
            f"data.path {path}",
            expected="what datasets.load_dataset or load_from_disk reads, here or on the hub",
            got=f"{type(error).__name__}: {error.__cause__ or error}"[:400],
            remedy="Check the name and the network, or save the data with save_to_disk and name "
            "the folder.",
        ) from error
    finally:
        if shows:
            datasets.enable_progress_bars()
    if isinstance(found, datasets.Dataset):
        found = {"train": found}
    if alone:
        only = next(iter(found)) if len(found) == 1 else "train"
        return datasets.DatasetDict({"train": _named(path, found, only)}), []
    return _two_splits(path, label, datasets.DatasetDict(found))


def _check_typed(path: str) -> None:
    saved = any((Path(path) / name).is_file() for name in SAVED)
    if not saved and Path(path).suffix.lower() not in TYPED:
        raise refuse(
            f"data.path {path}",
            expected=f"what save_to_disk left, or a file that ends in {' or '.join(TYPED)}, with "
            "privacy.mode",
            got="a folder" if os.path.isdir(path) else path,
            remedy="Save it so; data.name=table reads CSV, and folder images.",
        )


def _named(path: str, found: Any, name: str) -> datasets.Dataset:
    if name not in found:
        raise refuse(
            f"data.path {path}",
            expected="a split called train",
            got=shown(map(str, found)) or "no split with labels",
            remedy="Save the splits as train and test.",
        )
    return found[name]


def _local(path: Path, label: str, scratch: Path) -> Any:
    import datasets

    if path.is_dir() and any((path / name).is_file() for name in SAVED):
        return datasets.load_from_disk(str(path))
    options: Any = {"cache_dir": str(scratch)}  # records leave no copy in a cache of the user's
    if path.is_dir():
        return datasets.load_dataset(str(path), **options)
    if ending(path) in TEXT:
        frame = read_frame(path, text=label)
        if frame.attrs.get(COMMA):
            raise ValueError("numbers with a decimal comma: data.name=table reads them")
        return datasets.Dataset.from_pandas(frame, preserve_index=False)
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise ValueError(
            f"a file that ends in {path.suffix or 'nothing'}, not in {shown([*TEXT, *KINDS])}"
        )
    return datasets.load_dataset(kind, data_files=str(path), **options)


def _remote(path: str) -> Any:
    import datasets

    name, _, configuration = path.partition(":")
    return datasets.load_dataset(name, configuration or None)


def _two_splits(
    path: str, label: str, found: datasets.DatasetDict
) -> tuple[datasets.DatasetDict, list[str]]:
    import datasets

    notes = []
    for name in list(found):
        if not _labelled(found[name], label):
            notes.append(f"split {name} has no labels: left out")
            del found[name]
    if "train" not in found and len(found) == 1:
        found = datasets.DatasetDict({"train": next(iter(found.values()))})
    parts: Any = {"train": _named(path, found, "train")}
    more = next((name for name in VALIDATION if name in found), None)
    if "test" in found:
        parts["test"] = found["test"]
        if more:
            parts["train"] = datasets.concatenate_datasets([found["train"], found[more]])
            notes.append(f"split {more} is trained on, for there is a test split")
    elif more:
        parts["test"] = found[more]
        notes.append(f"split {more} is the test split")
    others = [str(name) for name in found if name not in ("train", "test", more)]
    if others:
        notes.append(f"splits left out: {shown(others)}")
    return datasets.DatasetDict(parts), notes


def _labelled(part: datasets.Dataset, label: str) -> bool:
    if label not in part.column_names:
        return True  # what has the columns is told later, by name
    return not set(part.select_columns([label]).with_format(None)[:][label]) <= {None, -1, ""}

"""The set as PNG files, a folder a class."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np

from fdd_flower.errors import DataError
from fdd_flower.results.export.rows import Rows
from fdd_flower.results.predict import free_names, table_bytes

_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # on Windows
_LONGEST = 60


def write_images(rows: Rows, folder: Path) -> None:
    """Write `images/<class>/<row>.png` and `images/metadata.csv`.

    Values are clipped to [0, 1] and rounded to 8 bits. The folder is one that `data.name=folder`
    and Hugging Face's `imagefolder` read.

    Raises
    ------
    DataError
        If the records are no images of 1 or 3 channels.
    """
    names = dict(zip(rows.schema.classes, folder_names(rows.schema.classes), strict=True))
    root, paths = folder / "images", []
    pictures = png_images(rows)
    for row, (picture, label) in enumerate(zip(pictures, rows.label_names, strict=True)):
        path = root / names[label] / f"{row:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture)
        paths.append(path.relative_to(root).as_posix())
    facts = rows.facts_frame(["file_name"])
    facts.insert(0, "file_name", paths)
    (root / "metadata.csv").write_bytes(table_bytes(facts, ".csv"))


def png_images(rows: Rows) -> list[bytes]:
    """Return each row as the bytes of a PNG.

    Raises
    ------
    DataError
        If the records are no images of 1 or 3 channels.
    """
    from PIL import Image

    if rows.schema.kind != "image" or rows.x.shape[1] not in (1, 3):
        size = "x".join(map(str, rows.schema.feature_shape))
        raise DataError(
            "--to images",
            expected="images of 1 or 3 channels",
            got=f"{rows.schema.kind} of {size}",
            remedy="Export to npz, csv or parquet.",
        )
    pixels = np.rint(255 * rows.x.clip(0, 1)).astype(np.uint8)
    found = []
    for image in pixels.transpose(0, 2, 3, 1):
        memory = io.BytesIO()
        Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(memory, "PNG")
        found.append(memory.getvalue())
    return found


def folder_names(classes: tuple[str, ...]) -> list[str]:
    """Return a name for each class that any file system takes, each of its own.

    >>> folder_names(("cat", "Cat", "a/b", "..", "con"))
    ['cat', 'Cat_', 'a_b', '_', 'con_']
    """
    found: list[str] = []
    for name in classes:
        plain = re.sub(r"[^\w .+-]", "_", name).strip(". ")[:_LONGEST].strip(". ") or "_"
        if _RESERVED.fullmatch(plain):
            plain += "_"
        # some file systems do not tell cases apart
        while plain.casefold() in {other.casefold() for other in found}:
            (plain,) = free_names([plain], [plain])
        found.append(plain)
    return found

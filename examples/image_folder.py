"""A folder of images, a sub-folder for each class: a federation, a larger model, a prediction.

python examples/image_folder.py --demo
python examples/image_folder.py scans --size 64 --clients 4
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from sklearn.datasets import load_digits

import fdd_flower as fdd


def make_demo(folder: Path) -> Path:
    """Write 100 images of each of three digits as PNG files."""
    digits = load_digits(n_class=3)
    for label in range(3):
        (folder / f"digit-{label}").mkdir(parents=True, exist_ok=True)
        for i, image in enumerate(digits.images[digits.target == label][:100]):
            pixels = Image.fromarray((image * 15.9).astype(np.uint8))
            pixels.save(folder / f"digit-{label}" / f"{i:03}.png")
    return folder


def read(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Return an image file as the models see it: uint8, (1, channels, height, width)."""
    channels, height, width = shape
    with Image.open(path) as image:
        mode = "L" if channels == 1 else "RGB"
        upright = ImageOps.exif_transpose(image).convert(mode)
        pixels = np.asarray(upright.resize((width, height), Image.Resampling.BILINEAR))
    return pixels.reshape(1, height, width, channels).transpose(0, 3, 1, 2)


def main(arguments: list[str] | None = None) -> None:
    """Run the federation, train another model on the merged set, and classify one file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="a sub-folder for each class")
    parser.add_argument("--demo", action="store_true", help="make a folder of small digits")
    parser.add_argument("--size", type=int, default=32, help="height and width in pixels")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--steps", type=int, help="of training; by default as many as are needed")
    parser.add_argument("--distiller-steps", type=int, default=100)
    parser.add_argument("--out", type=Path, default=Path("runs/images"))
    options = parser.parse_args(arguments)
    if options.demo:
        options.folder, options.size = make_demo(options.out / "demo"), 8
    if options.folder is None:
        parser.error("name a folder, or pass --demo")

    steps = {} if options.steps is None else {"training_steps": options.steps}
    run = fdd.run(
        clients=options.clients,
        rounds=1,
        data=options.folder,
        out=options.out / "run",
        data_image_size=options.size,
        partition_name="balanced",
        distiller_steps=options.distiller_steps,
        **steps,
    )
    run.synthetic.show(options.out / "synthetic.png")

    # the set trains models that nobody had in mind when the clients sent theirs
    model = fdd.train(run.synthetic, "mlp", steps=options.steps)
    file = min(path for path in options.folder.rglob("*") if path.is_file())
    shares = model.predict_proba(read(file, model.schema.feature_shape))[0]
    print(f"\n{file}:")
    for name, share in zip(model.schema.classes, shares, strict=True):
        print(f"  {name}: {share:.1%}")
    print(f"\nsynthetic images: {options.out / 'synthetic.png'}")
    print(f"report: {run.folder / 'report.html'}")


if __name__ == "__main__":
    main()

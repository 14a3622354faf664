"""avif: the images of a class in one AVIF, about an eighth of the bytes of uint8 at quality 35."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image, features

from fdd_flower.config import CodecConfig
from fdd_flower.errors import ConfigError
from fdd_flower.wire.codecs import _av1
from fdd_flower.wire.codecs._images import ImageCodec
from fdd_flower.wire.codecs.base import CODECS
from fdd_flower.wire.resolution import WHOLE

# 0 slowest to 10 fastest. Half the time of 6 at 0.2 dB less; from 9 on it loses several.
SPEED = 7
# Squared error, which is what gradients through the codec see. Pillow's default is for the eye,
# costs 0.5 to 1 dB at equal bytes, and differs between versions.
TUNE = {"tune": "psnr"}


@CODECS.register("avif")
class Avif(ImageCodec):
    """Writes each class as one AV1 still picture at `codec.quality`; see `ImageCodec`.

    Grey images are monochrome. Colour has its full resolution: at equal bytes that was nearer to
    photographs of 32 x 32 by 0.3 to 3 dB, and more at high quality.

    Raises
    ------
    ConfigError
        If this Pillow was built without AVIF.
    """

    kind = 2

    def __init__(self, cfg: CodecConfig, *, resolution: int = WHOLE) -> None:
        # An older Pillow does not know the word, and would warn.
        if "avif" not in features.modules or not features.check_module("avif"):
            raise ConfigError(
                "codec.name",
                expected="a Pillow that has AVIF",
                got="avif",
                remedy="Install it: pip install 'pillow>=11.3'; or choose the codec webp.",
            )
        super().__init__(cfg, resolution=resolution)

    def write(self, pixels: np.ndarray) -> bytes:
        """Return the AV1 picture of a mosaic (H, W, 1 or 3)."""
        grey, file = pixels.shape[2] == 1, BytesIO()
        Image.fromarray(pixels.squeeze(2) if grey else pixels).save(
            file,
            "AVIF",
            quality=self.cfg.quality,
            speed=SPEED,
            codec="aom",
            advanced=TUNE,
            subsampling="4:0:0" if grey else "4:4:4",
            max_threads=1,  # the same bytes on every machine
        )
        return _av1.picture_of(file.getvalue())

    def read(self, stream: bytes, shape: tuple[int, int, int]) -> np.ndarray:
        """Return the mosaic `shape` of an AV1 picture; see `ImageCodec.read`."""
        height, width, channels = shape
        grey = channels == 1
        _av1.check_picture(stream, height=height, width=width, grey=grey)
        file = _av1.file_of(stream, height=height, width=width, grey=grey)
        with Image.open(BytesIO(file), formats=("AVIF",)) as image:
            return np.asarray(image.convert("L" if grey else "RGB")).reshape(shape)

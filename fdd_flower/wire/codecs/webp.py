"""webp: the images of a class in one lossy WebP, a sixth of the bytes of uint8 at quality 35."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

from fdd_flower.wire.codecs import _vp8
from fdd_flower.wire.codecs._images import ImageCodec
from fdd_flower.wire.codecs.base import CODECS

METHOD = 4  # of 0..6; 6 takes more than twice as long for 0.2 dB


@CODECS.register("webp")
class Webp(ImageCodec):
    """Writes each class as one VP8 frame at `codec.quality`; see `ImageCodec`.

    Colour has half the resolution of brightness. Grey images travel as colour, which costs a few
    bytes a mosaic.
    """

    kind = 1

    def write(self, pixels: np.ndarray) -> bytes:
        """Return the VP8 frame of a mosaic (H, W, 1 or 3)."""
        file = BytesIO()
        colour = np.broadcast_to(pixels, (*pixels.shape[:2], 3))  # WebP has no grey
        image = Image.fromarray(np.ascontiguousarray(colour))
        image.save(file, "WEBP", quality=self.cfg.quality, method=METHOD)
        return _vp8.frame_of(file.getvalue())

    def read(self, stream: bytes, shape: tuple[int, int, int]) -> np.ndarray:
        """Return the mosaic `shape` of a VP8 frame; see `ImageCodec.read`."""
        height, width, channels = shape
        _vp8.check_frame(stream, height=height, width=width)
        with Image.open(BytesIO(_vp8.file_of(stream)), formats=("WEBP",)) as image:
            return np.asarray(image.convert("L" if channels == 1 else "RGB")).reshape(shape)

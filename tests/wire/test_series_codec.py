"""The codec `series`: against scipy's DCT a channel at a time, and bytes from strangers."""

from __future__ import annotations

import lzma
import struct
from dataclasses import replace

import numpy as np
import pytest
import scipy.fft
import torch

from fdd_flower.config import CodecConfig
from fdd_flower.errors import WireError
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.codecs.base import Tunable, array_bytes
from fdd_flower.wire.codecs.series import DEAD, FILTERS, Series
from fdd_flower.wire.codecs.uint8 import Uint8

SHAPE = (3, 20)


def part(shape: tuple[int, ...] = SHAPE, *, rows: int = 7, scale: float = 3.0) -> SyntheticSet:
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(rows) % 4
    return SyntheticSet(
        inputs=scale * torch.randn(rows, *shape, generator=rng).cumsum(dim=-1) / 4,
        targets=torch.nn.functional.one_hot(labels, 4).float(),
        weights=torch.rand(rows, generator=rng) + 1,
    )


def codec(quality: int = 30) -> Series:
    return Series(CodecConfig(name="series", quality=quality))


def there_and_back(sent: SyntheticSet, by: Series) -> SyntheticSet:
    # a reader takes what any setting wrote
    return codec(quality=99).decode(
        by.encode(sent), feature_shape=sent.feature_shape, num_classes=4
    )


@pytest.mark.parametrize("quality", [0, 30, 77, 100])
@pytest.mark.parametrize("sixteenths", [16, 9, 1])
def test_rows_against_a_loop_over_channels(quality: int, sixteenths: int):
    sent, by = part(), codec(quality).at_resolution(sixteenths)
    came = there_and_back(sent, by)
    step = 4 * 2 ** (-quality / 12.5)
    kept = int(np.ceil(20 * sixteenths / 16))
    for row, back in zip(sent.inputs.double().numpy(), came.inputs.numpy(), strict=True):
        for channel, found in zip(row, back, strict=True):
            codes = []
            for k, value in enumerate(np.asarray(scipy.fft.dct(channel, norm="ortho"))):
                size = int(abs(value) / step + 1 - DEAD) if k < kept else 0
                codes.append(size * step * np.sign(value))
            expected = np.asarray(scipy.fft.idct(np.array(codes), norm="ortho"))
            np.testing.assert_allclose(found, expected, atol=1e-5)
    assert torch.equal(came.weights, sent.weights)
    assert torch.equal(came.targets, sent.targets)


def test_the_step_bounds_the_error():
    sent = part((6, 128), rows=50)
    for quality in (10, 60):
        lost = there_and_back(sent, codec(quality)).inputs - sent.inputs
        assert float(lost.square().mean().sqrt()) < DEAD * codec(quality).step


def test_bytes_fall_with_quality_and_with_resolution():
    sent = part((6, 128), rows=50)
    sizes = [array_bytes(codec(quality).encode(sent)) for quality in (90, 60, 30, 5)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[2] < array_bytes(Uint8(CodecConfig()).encode(sent)) / 3
    half = codec(60).at_resolution(4)
    assert array_bytes(half.encode(sent)) < sizes[1]
    again = half.at_quality(7)
    assert again.resolution == 4
    assert isinstance(again, Tunable)


def test_the_largest_values_come_back():
    sent = replace(part(), inputs=torch.full((7, *SHAPE), -1e4))
    came = there_and_back(sent, codec(100)).inputs
    assert float(came.min()) >= -1e4
    assert float(came.max()) < -1e4 + 0.1


def payload(sent: SyntheticSet | None = None) -> bytes:
    return codec().encode(sent or part())["payload"].tobytes()


def read(data: bytes, shape: tuple[int, ...] = SHAPE) -> SyntheticSet:
    array = np.frombuffer(data, np.uint8)
    return codec().decode({"payload": array}, feature_shape=shape, num_classes=4)


def with_stream(stream: bytes) -> bytes:
    """Return a payload of rows like `part()` whose stream is another one, of the same length."""
    data = payload()
    packed = struct.unpack_from("<I", data, 11)[0]
    return data[: 15 + packed] + stream


def test_whatever_is_cut_or_changed_is_refused_or_a_set():
    data, rng = payload(), np.random.default_rng(0)
    for end in range(len(data)):
        with pytest.raises(WireError):
            read(data[:end])
    for _ in range(300):
        spoilt = bytearray(data)
        spoilt[rng.integers(len(data))] = rng.integers(256)
        try:
            found = read(bytes(spoilt))
        except WireError:
            continue
        assert found.inputs.shape == (7, *SHAPE)
        assert bool(torch.isfinite(found.inputs).all())


def test_streams_of_another_length_are_refused():
    length = len(payload()) - len(with_stream(b""))

    def fits(raw: bytes) -> bytes:
        return lzma.compress(raw, format=lzma.FORMAT_RAW, filters=FILTERS)

    short = fits(bytes(7 * 3 * 20 - 1))
    bomb = fits(bytes(2**26))
    assert len(bomb) > length  # cut below: whatever it promises, no more than the codes is unpacked
    for stream in (short, bomb, fits(bytes(7 * 3 * 20)) + b"more"):
        whole = b"\1" + stream
        with pytest.raises(WireError):
            read(with_stream(whole[:length].ljust(length, b"\0")))
    for planes in (0, 5, 255):
        with pytest.raises(WireError, match="from 1 to 4 planes"):
            read(with_stream(bytes([planes]) + payload()[1 - length :]))


def test_a_payload_for_another_shape_is_refused():
    with pytest.raises(WireError):
        read(payload(), (3, 21))
    with pytest.raises(WireError):
        read(payload(part((4, 20))))


def test_rows_that_inflate_without_bound_are_refused():
    rows = part(rows=200)
    flat = replace(rows, inputs=torch.zeros(1).expand(200, 6, 20_000))
    with pytest.raises(WireError, match="values in"):
        codec().encode(flat)

"""webp and avif: what comes back, in how many bytes, and what strangers may send."""

import io
import math
import struct
import warnings
import zlib
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, features

from fdd_flower.config import CodecConfig
from fdd_flower.errors import ConfigError, WireError
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.codecs import _av1, _mosaic, _payload, _vp8
from fdd_flower.wire.codecs._images import ImageCodec
from fdd_flower.wire.codecs.base import CODECS, array_bytes

NAMES = ["webp", "avif"]
FILES = {"webp": "WEBP", "avif": "AVIF"}
CLASSES = 10
IMAGES = [(1, 28, 28), (3, 32, 32), (1, 8, 8), (1, 20, 13), (3, 13, 20), (1, 5, 40)]
TINY = [(1, 1, 1), (3, 1, 1), (1, 1, 7), (3, 2, 1)]
NO_IMAGES = [(13,), (2, 5), (1, 30), (2, 6, 6), (4, 6, 6), (1, 3, 4, 4)]


@pytest.fixture(autouse=True)
def _loud() -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of overflow, of decompression bombs
        yield


def codec(name: str, quality: int = 35) -> ImageCodec:
    made = CODECS.get(name)(CodecConfig(name=name, quality=quality))
    assert isinstance(made, ImageCodec)
    return made


def smooth(
    shape: tuple[int, ...], rows: int = 30, *, seed: int = 0, soft: bool = False
) -> SyntheticSet:
    """Return low waves of random phase, of classes in no order."""
    rng = np.random.default_rng(seed)
    places = np.stack(np.meshgrid(*[np.linspace(0, 3, size) for size in shape], indexing="ij"))
    waves = rng.normal(size=(rows, len(shape)))
    phases = rng.uniform(0, 6, size=(rows, *[1] * len(shape)))
    inputs = 2 * np.sin(np.tensordot(waves, places, axes=1) + phases) - 0.3
    labels = rng.integers(3, size=rows) * 3
    targets = np.eye(CLASSES)[labels]
    if soft:
        targets = 0.7 * targets + 0.3 * rng.dirichlet(np.ones(CLASSES), size=rows)
    return SyntheticSet(
        inputs=torch.from_numpy(inputs).float(),
        targets=torch.from_numpy(targets).float(),
        weights=torch.from_numpy(100.0 + labels).float(),
    )


def there_and_back(made: ImageCodec, part: SyntheticSet) -> SyntheticSet:
    return made.decode(
        made.encode(part), feature_shape=part.feature_shape, num_classes=part.num_classes
    )


def psnr(sent: SyntheticSet, came: SyntheticSet) -> float:
    span = float(sent.inputs.max() - sent.inputs.min())
    return 10 * math.log10(span**2 / float(((sent.inputs - came.inputs) ** 2).mean()))


# --- round trips ---------------------------------------------------------------------------


@pytest.mark.parametrize("shape", IMAGES)
@pytest.mark.parametrize("name", NAMES)
def test_images_come_back_nearly_and_in_their_order(name: str, shape: tuple[int, ...]) -> None:
    sent = smooth(shape)
    came = there_and_back(codec(name, 90), sent)
    # WebP's colours have half the resolution, and these are as strong as the brightness.
    assert psnr(sent, came) > (22 if name == "webp" and shape[0] == 3 else 33)
    nearest = torch.cdist(came.inputs.flatten(1), sent.inputs.flatten(1)).argmin(dim=1)
    assert nearest.tolist() == list(range(len(sent)))
    assert torch.equal(came.targets, sent.targets)
    assert torch.equal(came.weights, sent.weights)


@pytest.mark.parametrize("shape", TINY)
@pytest.mark.parametrize("rows", [1, 2, 7])
@pytest.mark.parametrize("name", NAMES)
def test_the_smallest_images_travel(name: str, rows: int, shape: tuple[int, ...]) -> None:
    sent = smooth(shape, rows)
    came = there_and_back(codec(name), sent)
    low, high = sent.inputs.min(), sent.inputs.max()
    assert bool(((came.inputs >= low - 1e-5) & (came.inputs <= high + 1e-5)).all())


@pytest.mark.parametrize("name", NAMES)
def test_higher_quality_is_nearer_and_larger(name: str) -> None:
    sent = smooth((1, 28, 28))
    made = [codec(name).at_quality(quality) for quality in (10, 50, 90)]
    errors = [psnr(sent, there_and_back(one, sent)) for one in made]
    sizes = [array_bytes(one.encode(sent)) for one in made]
    assert errors == sorted(errors)
    assert sizes == sorted(sizes)
    assert made[0].cfg == CodecConfig(name=name, quality=10)


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_takes_any_quality(name: str) -> None:
    sent = smooth((1, 8, 8))
    arrays = codec(name, 90).encode(sent)
    came = codec(name, 5).decode(arrays, feature_shape=(1, 8, 8), num_classes=CLASSES)
    assert torch.equal(came.inputs, there_and_back(codec(name, 90), sent).inputs)


@pytest.mark.parametrize("shape", [*IMAGES, *TINY])
@pytest.mark.parametrize("sixteenths", [1, 5, 12])
@pytest.mark.parametrize("name", NAMES)
def test_images_are_sent_smaller_and_come_back_in_full(
    name: str, sixteenths: int, shape: tuple[int, ...]
) -> None:
    sent = smooth(shape)
    arrays = codec(name, 90).at_resolution(sixteenths).encode(sent)
    came = codec(name).decode(arrays, feature_shape=shape, num_classes=CLASSES)  # at 16
    assert came.feature_shape == shape
    assert torch.equal(came.targets, sent.targets)
    if min(shape[1:]) * sixteenths >= 8 * 12:  # of low waves, nothing is lost
        assert psnr(sent, came) > (20 if name == "webp" and shape[0] == 3 else 26)


@pytest.mark.parametrize("name", NAMES)
def test_fewer_pixels_take_fewer_bytes(name: str) -> None:
    sent = smooth((1, 28, 28))
    sizes = [array_bytes(codec(name).at_resolution(n).encode(sent)) for n in (4, 8, 12, 16)]
    assert sizes == sorted(sizes)
    assert sizes[0] < 0.8 * sizes[-1]


def with_form(arrays: dict[str, np.ndarray], form: int) -> dict[str, np.ndarray]:
    """Return a payload whose third byte is `form`."""
    payload = arrays["payload"].copy()
    payload[2] = form
    return {"payload": payload}


def test_a_resolution_that_is_not_there_is_refused() -> None:
    arrays = codec("avif").encode(smooth((1, 8, 8)))
    with pytest.raises(WireError, match="a form below 32; got 33"):
        codec("avif").decode(with_form(arrays, 33), feature_shape=(1, 8, 8), num_classes=CLASSES)
    with pytest.raises(WireError):  # mosaics of another size
        codec("avif").decode(with_form(arrays, 9), feature_shape=(1, 8, 8), num_classes=CLASSES)


def test_a_table_has_no_resolution() -> None:
    sent = smooth((13,))
    small = codec("avif").at_resolution(4).encode(sent)
    assert all(
        np.array_equal(a, b)
        for a, b in zip(small.values(), codec("avif").encode(sent).values(), strict=True)
    )
    with pytest.raises(WireError, match="every value"):
        codec("avif").decode(with_form(small, 3), feature_shape=(13,), num_classes=CLASSES)


@pytest.mark.parametrize("shape", NO_IMAGES)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_image_comes_back_within_half_a_step(name: str, shape: tuple[int, ...]) -> None:
    sent = smooth(shape)
    x = sent.inputs.double().numpy()
    error = np.abs(there_and_back(codec(name), sent).inputs.double().numpy() - x)
    for channel in range(shape[0]):
        step = np.ptp(x[:, channel]) / 255
        assert error[:, channel].max() <= step / 2 + np.abs(x[:, channel]).max() * 2.0**-22


@pytest.mark.parametrize("shape", [(1, 8, 8), (13,)])
@pytest.mark.parametrize("name", NAMES)
def test_soft_labels_come_back_as_255ths(name: str, shape: tuple[int, ...]) -> None:
    sent = smooth(shape, soft=True)
    came = there_and_back(codec(name), sent)
    assert float((came.targets - sent.targets).abs().max()) <= 1 / 255
    np.testing.assert_allclose(came.targets.sum(dim=1).numpy(), 1, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_constant_channel_comes_back_exactly(name: str) -> None:
    sent = smooth((3, 16, 16))
    inputs = sent.inputs.clone()
    inputs[:, 1] = 0.3
    constant = SyntheticSet(inputs=inputs, targets=sent.targets, weights=sent.weights)
    assert torch.equal(there_and_back(codec(name), constant).inputs[:, 1], inputs[:, 1])


@pytest.mark.parametrize("name", NAMES)
def test_both_ends_of_the_allowed_range_travel(name: str) -> None:
    sent = smooth((1, 8, 8))
    ends = SyntheticSet(
        inputs=torch.where(sent.inputs > 0, 1e4, -1e4), targets=sent.targets, weights=sent.weights
    )
    assert float(there_and_back(codec(name), ends).inputs.abs().max()) <= 1e4


# --- bytes ---------------------------------------------------------------------------------


def streams_of(arrays: dict[str, np.ndarray], shape: tuple[int, ...]) -> list[bytes]:
    return _payload.read(arrays["payload"].tobytes(), shape, CLASSES).streams


@pytest.mark.parametrize("name", NAMES)
def test_a_class_is_one_stream_and_the_rest_costs_little(name: str) -> None:
    mixed = smooth((1, 28, 28), 200)
    order = mixed.labels.argsort(stable=True)  # as distillers leave the rows: class after class
    sent = SyntheticSet(
        inputs=mixed.inputs[order], targets=mixed.targets[order], weights=mixed.weights[order]
    )
    arrays = codec(name).encode(sent)
    streams = streams_of(arrays, (1, 28, 28))
    assert len(streams) == len(sent.labels.unique()) == 3
    assert arrays["payload"].nbytes - sum(map(len, streams)) < 150


@pytest.mark.parametrize(("name", "most"), [("webp", 0.2), ("avif", 0.15)])
def test_smooth_images_take_a_fraction_of_the_bytes_of_uint8(name: str, most: float) -> None:
    sent = smooth((1, 28, 28), 100)
    plain = CODECS.get("uint8")(CodecConfig(name="uint8")).encode(sent)
    assert array_bytes(codec(name).encode(sent)) < most * array_bytes(plain)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 8), (13,)])
@pytest.mark.parametrize("name", NAMES)
def test_the_same_set_gives_the_same_bytes(name: str, shape: tuple[int, ...]) -> None:
    first, second = (codec(name).encode(smooth(shape))["payload"] for _ in range(2))
    assert first.tobytes() == second.tobytes()


# --- mosaics and their files ---------------------------------------------------------------


@pytest.mark.parametrize(("h", "w"), [(28, 28), (20, 13), (1, 1), (1, 300), (300, 1)])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 10, 97, 480])
def test_tiles_are_where_a_loop_puts_them(count: int, h: int, w: int) -> None:
    images = np.random.default_rng(0).integers(256, size=(count, 3, h, w), dtype=np.uint8)
    mosaic = _mosaic.tile(images)
    rows, columns = _mosaic.grid(count, h, w)
    assert mosaic.shape == (rows * h, columns * w, 3)
    assert rows * columns < count + columns
    for i in range(count):
        top, left = i // columns * h, i % columns * w
        cell = mosaic[top : top + h, left : left + w]
        assert np.array_equal(cell, images[i].transpose(1, 2, 0))
    assert np.array_equal(_mosaic.untile(mosaic, count, h, w), images)


@pytest.mark.parametrize(("h", "w"), [(28, 28), (224, 224), (1, 1), (1, 16383), (9000, 5), (6, 9)])
def test_the_fullest_mosaic_stays_within_its_sides(h: int, w: int) -> None:
    most = _mosaic.max_cells(h, w)
    for count in (most, most - 1, most // 2 + 1):
        rows, columns = _mosaic.grid(max(count, 1), h, w)
        assert max(rows * h, columns * w) <= _mosaic.MAX_SIDE
        assert rows * columns * h * w < 1.1 * _mosaic.MAX_PIXELS


@pytest.mark.parametrize("name", NAMES)
def test_more_rows_than_fit_are_refused_by_the_setting_to_lower(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert codec(name).max_rows((1, 28, 28)) > 50_000
    assert codec(name).max_rows((3, 20_000, 10)) == 0
    assert codec(name).max_rows((13,)) >= 10**7
    monkeypatch.setattr(_mosaic, "MAX_SIDE", 56)
    assert codec(name).max_rows((1, 28, 28)) == 4
    with pytest.raises(WireError, match=r"at most 4 images.*distiller\.ipc"):
        codec(name).encode(smooth((1, 28, 28)))


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("side", [1, 9, 64, 300])
def test_the_rebuilt_avif_shows_the_pixels_that_were_written(side: int, colour: bool) -> None:
    pixels = np.random.default_rng(0).integers(256, size=(side, 40, 3), dtype=np.uint8)
    image = Image.fromarray(pixels if colour else pixels[..., 0])
    file = io.BytesIO()
    image.save(
        file,
        "AVIF",
        quality=60,
        codec="aom",
        max_threads=1,
        subsampling="4:4:4" if colour else "4:0:0",
    )
    rebuilt = _av1.file_of(_av1.picture_of(file.getvalue()), height=side, width=40, grey=not colour)
    ours, theirs = (Image.open(io.BytesIO(x)) for x in (rebuilt, file.getvalue()))
    assert ours.info == theirs.info == {}
    assert np.array_equal(np.asarray(ours), np.asarray(theirs))


@pytest.mark.parametrize("side", [1, 9, 64])
def test_the_rebuilt_webp_is_the_one_that_was_written(side: int) -> None:
    file = io.BytesIO()
    Image.new("RGB", (40, side), "red").save(file, "WEBP")
    assert _vp8.file_of(_vp8.frame_of(file.getvalue())) == file.getvalue()


def test_a_pillow_without_avif_is_a_config_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for known in ({}, {"avif": ("PIL._no_such_module", None)}):  # an old one; one built without
        monkeypatch.setattr(features, "modules", known)
        with pytest.raises(ConfigError, match=r"pillow>=11\.3"):
            codec("avif")


# --- strangers -----------------------------------------------------------------------------

SHAPE = (1, 8, 8)
Attack = Callable[[str, bytes], object]


def head(data: bytes) -> list[int]:
    return list(_payload.HEADER.unpack_from(data))


def parts(data: bytes) -> tuple[list[int], bytearray, list[bytes]]:
    """Return header, unpacked bookkeeping and streams of an honest payload of hard labels."""
    fields = head(data)
    body = _payload.HEADER.size + fields[5]
    book = bytearray(zlib.decompress(data[_payload.HEADER.size : body]))
    streams, start = [], body
    for (length,) in struct.iter_unpack("<I", book[-4 * fields[4] :]):
        streams.append(data[start : start + length])
        start += length
    return fields, book, streams


def whole(
    fields: list[int], book: bytes | bytearray, streams: list[bytes], extra: bytes = b""
) -> bytes:
    book = bytearray(book)
    book[-4 * len(streams) :] = struct.pack(f"<{len(streams)}I", *map(len, streams))
    packed = zlib.compress(bytes(book)) + extra
    return _payload.HEADER.pack(*fields[:5], len(packed)) + packed + b"".join(streams)


def header(place: int, value: int) -> Attack:
    def change(name: str, data: bytes) -> bytes:
        fields = head(data)
        fields[place] = value
        return _payload.HEADER.pack(*fields) + data[_payload.HEADER.size :]

    return change


def booked(start: int, raw: bytes) -> Attack:
    """Write `raw` at `start` of the bookkeeping, from its end where negative."""

    def change(name: str, data: bytes) -> bytes:
        fields, book, streams = parts(data)
        start_ = start % len(book)
        book[start_ : start_ + len(raw)] = raw
        return whole(fields, book, streams)

    return change


def streamed(function: Callable[[str, bytes], bytes]) -> Attack:
    """Put something else in the place of the first stream."""

    def change(name: str, data: bytes) -> bytes:
        fields, book, streams = parts(data)
        return whole(fields, book, [function(name, streams[0]), *streams[1:]])

    return change


def written(image: Image.Image, name: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, FILES[name], **options)  # type: ignore[arg-type]
    return file.getvalue()


def frame(image: Image.Image, name: str, **options: object) -> bytes:
    if name == "avif":  # the default of L is not the same in every Pillow
        options = {"subsampling": "4:0:0" if image.mode == "L" else "4:4:4"} | options
    data = written(image, name, **options)
    return _vp8.frame_of(data) if name == "webp" else _av1.picture_of(data)


def two_streams_swapped(name: str, data: bytes) -> bytes:
    fields, book, streams = parts(data)
    return whole(fields, book, streams[::-1])


def one_stream_less(name: str, data: bytes) -> bytes:
    fields, book, streams = parts(data)
    fields[4] -= 1
    return whole(fields, book[:-4], streams[:-1])


def one_stream_more(name: str, data: bytes) -> bytes:
    fields, book, streams = parts(data)
    fields[4] += 1
    return whole(fields, book + bytes(4), [*streams, streams[0]])


def bookkeeping_that_inflates(name: str, data: bytes) -> bytes:
    fields, _, streams = parts(data)
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(bytes(2**20)) for _ in range(64)) + packer.flush()
    return _payload.HEADER.pack(*fields[:5], len(packed)) + packed + b"".join(streams)


def a_million_rows_of_labels(name: str, data: bytes) -> bytes:
    fields, _, streams = parts(data)
    rows = 10**6
    book = bytes(rows) + struct.pack("<f", 1) * rows + struct.pack("<2f", 0, 1) + bytes(4)
    return whole([*fields[:3], rows, 1, 0], book, streams[:1])


def the_other_codec(name: str, data: bytes) -> bytes:
    fields, book, streams = parts(data)
    other = NAMES[1 - NAMES.index(name)]
    return whole(fields, book, parts(payload_of(other))[2][: len(streams)])


def payload_of(name: str, shape: tuple[int, ...] = SHAPE) -> bytes:
    return codec(name).encode(smooth(shape))["payload"].tobytes()


def as_array(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


ROWS_AT = 30  # labels of one byte each, then weights, lo, scale, three lengths
ATTACKS: dict[str, Attack] = {
    "empty": lambda name, d: b"",
    "half-a-header": lambda name, d: d[:8],
    "only-a-header": lambda name, d: d[: _payload.HEADER.size],
    "truncated": lambda name, d: d[:-1],
    "one-byte-more": lambda name, d: d + b"\0",
    "twice": lambda name, d: d + d,
    "version-0": header(0, 0),
    "version-2": header(0, 2),
    "kind-of-bytes": header(1, 0),
    "kind-of-the-other": lambda name, d: header(1, 1 + (name == "webp"))(name, d),
    "kind-unknown": header(1, 77),
    "labels-as-shares": header(2, 0),
    "hard-2": header(2, 2),
    "no-rows": header(3, 0),
    "rows-less-1": header(3, 29),
    "rows-plus-1": header(3, 31),
    "rows-4-billion": header(3, 2**32 - 1),
    "no-streams": header(4, 0),
    "streams-4-billion": header(4, 2**32 - 1),
    "bookkeeping-longer": header(5, 2**32 - 1),
    "bookkeeping-empty": header(5, 0),
    "bookkeeping-that-inflates": bookkeeping_that_inflates,
    "bookkeeping-damaged": lambda name, d: d[:17] + bytes([d[17] ^ 255]) + d[18:],
    "bookkeeping-and-more": lambda name, d: whole(*parts(d), extra=b"more"),
    "a-million-rows": a_million_rows_of_labels,
    "label-too-high": booked(0, b"\x0a"),
    "labels-of-one-class": booked(0, bytes(ROWS_AT)),
    "weight-nan": booked(ROWS_AT, struct.pack("<f", np.nan)),
    "weight-infinite": booked(ROWS_AT, struct.pack("<f", np.inf)),
    "weight-zero": booked(ROWS_AT, struct.pack("<f", 0)),
    "weight-negative": booked(ROWS_AT, struct.pack("<f", -9)),
    "weight-huge": booked(ROWS_AT, struct.pack("<f", 3e38)),
    "lo-nan": booked(-20, struct.pack("<f", np.nan)),
    "lo-infinite": booked(-20, struct.pack("<f", -np.inf)),
    "lo-far": booked(-20, struct.pack("<f", -2e4)),
    "scale-nan": booked(-16, struct.pack("<f", np.nan)),
    "scale-infinite": booked(-16, struct.pack("<f", np.inf)),
    "scale-negative": booked(-16, struct.pack("<f", -1)),
    "scale-large": booked(-16, struct.pack("<f", 100)),
    "streams-swapped": two_streams_swapped,
    "one-stream-less": one_stream_less,
    "one-stream-more": one_stream_more,
    "the-other-codec": the_other_codec,
    "stream-empty": streamed(lambda name, s: b""),
    "stream-half": streamed(lambda name, s: s[: len(s) // 2]),
    "stream-of-zeros": streamed(lambda name, s: bytes(len(s))),
    "stream-of-noise": streamed(lambda name, s: np.random.default_rng(0).bytes(len(s))),
    "stream-a-whole-file": streamed(lambda name, s: written(Image.new("L", (32, 24)), name)),
    "stream-png": streamed(lambda name, s: png(Image.new("L", (32, 24)))),
    "stream-too-large": streamed(lambda name, s: frame(Image.new("L", (2000, 2000)), name)),
    "stream-transposed": streamed(lambda name, s: frame(Image.new("L", (16, 48)), name)),
}


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_the_attacks_begin_from_what_they_take_a_payload_to_be() -> None:
    for name in NAMES:
        data = payload_of(name)
        fields, book, streams = parts(data)
        assert (fields[2], fields[3], fields[4]) == (1, ROWS_AT, 3)
        assert len(book) == ROWS_AT * 5 + 8 + 12
        again = as_array(whole(fields, book, streams))
        codec(name).decode({"payload": again}, feature_shape=SHAPE, num_classes=CLASSES)


@pytest.mark.parametrize("how", ATTACKS)
@pytest.mark.parametrize("name", NAMES)
def test_a_malformed_payload_is_a_wire_error(name: str, how: str) -> None:
    bad = ATTACKS[how](name, payload_of(name))
    assert isinstance(bad, bytes)
    with pytest.raises(WireError) as caught:
        codec(name).decode({"payload": as_array(bad)}, feature_shape=SHAPE, num_classes=CLASSES)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "arrays",
    [
        None,
        [],
        {},
        {"payload": None},
        {"payload": b"bytes"},
        {"payload": [1, 2]},
        {"payload": np.zeros((), np.uint8)},
        {"payload": np.zeros((2, 40), np.uint8)},
        {"payload": np.zeros(80, np.int8)},
        {"payload": np.zeros(20, np.float32)},
        {"payload": np.zeros(80, object)},
        {"payload": np.zeros(160, np.uint8)[::2]},
        {"payload": np.broadcast_to(np.uint8(1), (10**12,))},
        {"payload": np.zeros(0, np.uint8)},
        {"payload": np.zeros(80, np.uint8), "more": np.zeros(80, np.uint8)},
        {"inputs": np.zeros((2, 1, 8, 8), np.uint8)},
        {"payload": np.ma.zeros(80, np.uint8)},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", NAMES)
def test_other_arrays_are_a_wire_error(name: str, arrays: object) -> None:
    with pytest.raises(WireError):
        codec(name).decode(arrays, feature_shape=SHAPE, num_classes=CLASSES)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shape", "classes"),
    [
        ((1, 8, 9), CLASSES),
        ((1, 4, 16), CLASSES),
        ((3, 8, 8), CLASSES),
        ((64,), CLASSES),
        ((2, 4, 8), CLASSES),
        (SHAPE, 6),
        (SHAPE, 300),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_a_payload_of_another_plan_is_a_wire_error(
    name: str, shape: tuple[int, ...], classes: int
) -> None:
    with pytest.raises(WireError):
        codec(name).decode(
            {"payload": as_array(payload_of(name))}, feature_shape=shape, num_classes=classes
        )


@pytest.mark.parametrize("row", [[254], [255, 1], [255] * 10, [0]])
@pytest.mark.parametrize("name", NAMES)
def test_shares_that_do_not_sum_to_255_are_a_wire_error(name: str, row: list[int]) -> None:
    sent = smooth(SHAPE, soft=True)
    fields, book, streams = parts(codec(name).encode(sent)["payload"].tobytes())
    book[:CLASSES] = bytes(row + [0] * (CLASSES - len(row)))
    with pytest.raises(WireError, match="sum to 255"):
        codec(name).decode(
            {"payload": as_array(whole(fields, book, streams))},
            feature_shape=SHAPE,
            num_classes=CLASSES,
        )


@pytest.mark.parametrize("name", NAMES)
def test_a_table_of_another_length_is_a_wire_error(name: str) -> None:
    fields, book, streams = parts(payload_of(name, (13,)))
    good = zlib.decompress(streams[0])
    for stream in (
        b"",
        b"noise",
        streams[0][:-1],
        streams[0] + b"\0",
        zlib.compress(good[:-1]),
        zlib.compress(good + b"\0"),
        zlib.compress(bytes(2**26)),
    ):
        data = as_array(whole(fields, book, [stream]))
        with pytest.raises(WireError):
            codec(name).decode({"payload": data}, feature_shape=(13,), num_classes=CLASSES)


@pytest.mark.parametrize("name", NAMES)
def test_what_readers_take_for_a_bomb_is_not_written(name: str) -> None:
    part = smooth((1, 1, 1), 1)
    flat = SyntheticSet(
        inputs=torch.zeros(1, 1, 1600, 1600), targets=part.targets, weights=part.weights
    )
    with pytest.raises(WireError, match=r"at most \d+ values in \d+ bytes"):
        codec(name).encode(flat)


# Each refusal here would otherwise be the decoder's to make, after it had made room.
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("webp", lambda f: bytes([f[0] | 1]) + f[1:]),
        ("webp", lambda f: bytes([f[0] & ~16]) + f[1:]),
        ("webp", lambda f: f[:3] + b"\0" + f[4:]),
        ("webp", lambda f: f[:6] + b"\xff\x3f\xff\x3f" + f[10:]),
        ("webp", lambda f: f[:7] + bytes([f[7] | 0x40]) + f[8:]),
        ("avif", lambda f: b"\x12\x00" + f),
        ("avif", lambda f: f + b"\x32\x00"),
        ("avif", lambda f: f + f),
        ("avif", lambda f: f[:1] + b"\x80\x80\x80\x80\x80\x80" + f[1:]),
        ("avif", lambda f: f[:1] + b"\xff\xff\xff\xff\x7f" + f[2:]),
        ("avif", lambda f: f[:1] + b"\x02" + f[2:4] + f[2 + f[1] :]),
        ("avif", lambda f: f[:2] + bytes([f[2] ^ 0x08]) + f[3:]),
        ("avif", lambda f: f[:2] + bytes([f[2] ^ 0x10]) + f[3:]),
        ("avif", lambda f: f[:2] + bytes([f[2] | 0x20]) + f[3:]),
    ],
)
def test_a_frame_is_checked_before_it_is_decoded(
    name: str, change: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    good = frame(Image.new("L", (32, 24)), name)
    codec(name).read(good, (24, 32, 1))
    monkeypatch.setattr(Image, "open", lambda *a, **k: pytest.fail("it was opened"))
    with pytest.raises(WireError, match="mosaic"):
        codec(name).read(change(good), (24, 32, 1))


def test_colour_where_grey_was_promised_is_refused() -> None:
    for sent, sampling, shape in (
        ("RGB", "4:4:4", (24, 32, 1)),
        ("L", "4:0:0", (24, 32, 3)),
        ("RGB", "4:2:0", (24, 32, 1)),
        ("RGB", "4:2:0", (24, 32, 3)),
        ("RGB", "4:2:2", (24, 32, 3)),
    ):
        with pytest.raises(WireError, match="mosaic"):
            codec("avif").read(
                frame(Image.new(sent, (32, 24)), "avif", subsampling=sampling), shape
            )


@pytest.mark.parametrize("shape", [SHAPE, (3, 8, 8), (13,)])
@pytest.mark.parametrize("name", NAMES)
def test_random_damage_gives_a_set_or_a_wire_error(name: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    good = as_array(payload_of(name, shape))
    fields, book, streams = parts(good.tobytes())
    outcomes = {"set": 0, "refused": 0}
    for turn in range(150):
        if turn % 2:
            bad = good.copy()
            bad[rng.integers(len(bad), size=3)] = rng.integers(256, size=3)
        else:  # past zlib's checksum, and into one stream
            bent, streams_ = book.copy(), [bytearray(stream) for stream in streams]
            for raw in (bent[: -4 * len(streams)], streams_[rng.integers(len(streams))]):
                if rng.random() < 0.5:
                    raw[rng.integers(len(raw))] = rng.integers(256)
            bad = as_array(whole(fields, bent, list(map(bytes, streams_))))
        try:
            came = codec(name).decode({"payload": bad}, feature_shape=shape, num_classes=CLASSES)
            assert float(came.inputs.abs().max()) <= 1e4
            outcomes["set"] += 1
        except WireError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 0

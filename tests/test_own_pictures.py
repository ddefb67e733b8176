"""Image files of every mode, format and size, and files that are not images."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from own_files import make, noise, read, save
from PIL import Image

from fsbench.own.pictures import MAX_PIXELS, Unusable, read_picture, stack

MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "LAB"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [(40, 20), (7, 30), (1, 1)])
def test_every_mode_and_size_becomes_a_small_square(mode: str, size: tuple[int, int], tmp_path: Path) -> None:
    image = Image.fromarray(noise(1, size[1], size[0], 3))
    image = image.convert("L").convert(mode) if mode == "I;16" else image.convert("RGB").convert(mode)
    path = tmp_path / f"x.{'tif' if mode not in ('P', '1', 'LA') else 'png'}"
    image.save(path)
    picture = read_picture(path, 10)
    assert picture.pixels.shape[:2] == (10, 10)
    assert picture.pixels.dtype == (np.uint16 if mode == "I;16" else np.uint8)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "tif", "webp", "ppm"])
def test_every_format_is_read(suffix: str, tmp_path: Path) -> None:
    pixels = noise(3, 24, 24)
    found = read_picture(save(tmp_path / f"x.{suffix}", pixels), 24).pixels
    grey = found if found.ndim == 2 else found.mean(2)
    assert np.abs(grey.astype(float) - pixels).mean() < 6


def test_orientation_first_frame_and_transparency_are_handled(tmp_path: Path) -> None:
    corner = np.zeros((8, 8), dtype=np.uint8)
    corner[0, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "turned.png", corner, exif=exif)
    assert read_picture(tmp_path / "turned.png", 8).pixels[0, 7] == 255
    frames = [Image.fromarray(np.full((8, 8), level, dtype=np.uint8)) for level in (10, 200)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert (read_picture(tmp_path / "moving.gif", 8).pixels == 10).all()
    clear = np.zeros((8, 8, 4), dtype=np.uint8)
    clear[:4] = (255, 0, 0, 255)
    found = read_picture(save(tmp_path / "clear.png", clear), 8).pixels
    assert (found[0] == (255, 0, 0)).all()
    assert (found[7] == 255).all()


def test_a_transparent_value_of_16_bits_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 3000, np.uint16)).save(tmp_path / "deep.png", transparency=0)
    with pytest.raises(Unusable, match="save it without transparency"):
        read_picture(tmp_path / "deep.png", 8)


def test_the_middle_of_an_image_is_cropped(tmp_path: Path) -> None:
    pixels = np.zeros((10, 30), dtype=np.uint8)
    pixels[:, 10:20] = 200
    assert (read_picture(save(tmp_path / "wide.png", pixels), 10).pixels == 200).all()


def test_grey_stays_one_channel_if_all_are_grey(tmp_path: Path) -> None:
    folder = make(tmp_path / "mixed", {"a": 3, "b": 3})
    grey = noise(50, 12, 12)
    save(folder / "a" / "rgb.png", np.stack([grey] * 3, axis=2))
    assert read(folder).dataset.info.shape == (1, 12, 12)
    save(folder / "a" / "colour.png", noise(51, 12, 12, 3))
    dataset = read(folder).dataset
    assert dataset.info.shape == (3, 12, 12)
    assert np.array_equal(dataset.x[0], np.stack([noise(0, 12, 12)] * 3))


@pytest.mark.parametrize(("highest", "bits"), [(255, 8), (1000, 10), (4095, 12), (65535, 16)])
def test_images_of_high_bit_depth_share_one_range(highest: int, bits: int, tmp_path: Path) -> None:
    pixels = [np.full((8, 8), value, dtype=np.uint16) for value in (0, highest // 2, highest)]
    paths = [save(tmp_path / f"{number}.png", each) for number, each in enumerate(pixels)]
    found = stack([read_picture(path, 8).pixels for path in paths])
    expected = [round(int(each[0, 0]) * 255 / (2**bits - 1)) for each in pixels]
    assert found[:, 0, 0, 0].tolist() == expected


def test_resizing_makes_no_image_seem_deeper(tmp_path: Path) -> None:
    pixels = np.full((20, 20), 4095, dtype=np.uint16)
    pixels[5:15, 5:15] = 0
    found = read_picture(save(tmp_path / "scan.png", pixels), 30).pixels
    assert (found.min(), found.max()) == (0, 4095)
    assert stack([found]).max() == 255


@pytest.mark.parametrize(
    ("sides", "size"), [([8, 8, 8], 8), ([4, 5, 5], 8), ([30, 40, 50], 40), ([90, 200, 80], 64)]
)
def test_the_default_size_is_the_images_own(sides: list[int], size: int, tmp_path: Path) -> None:
    for name in ("a", "b"):
        for number, side in enumerate(sides):
            save(tmp_path / "x" / name / f"{number}.png", noise(ord(name) + number, side, side + 3))
    assert read(tmp_path / "x").dataset.info.shape == (1, size, size)
    assert read(tmp_path / "x", image_size=20).dataset.info.shape == (1, 20, 20)


def bomb(path: Path, side: int = 20000) -> None:
    """A PNG of a few kilobytes that says it has 400 million pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    body = zlib.compress(b"\0" * (side + 1) * 50)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def test_files_that_are_not_images_are_left_out_and_named(tmp_path: Path) -> None:
    folder = make(tmp_path / "pets", {"cat": 4, "dog": 4})
    (folder / "cat" / "story.png").write_text("once upon a time", encoding="utf-8")
    (folder / "cat" / "empty.jpg").touch()
    whole = save(folder / "dog" / "half.png", noise(9, 60, 60)).read_bytes()
    (folder / "dog" / "half.png").write_bytes(whole[: len(whole) // 2])
    bomb(folder / "dog" / "bomb.png")
    (folder / "cat" / "notes.txt").write_text("cats", encoding="utf-8")
    for name in (".hidden.png", ".DS_Store", "thumbs.db", "desktop.ini"):
        (folder / "cat" / name).write_text("cats", encoding="utf-8")
    os.symlink("nowhere.png", folder / "cat" / "broken.png")
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "cat" / "pipe.png")
    reading = read(folder)
    assert reading.dataset.info.class_counts == (4, 4)
    said = "\n".join(reading.warnings)
    assert "5 files left out: " in said
    assert "2 other files not read: cat/notes.txt, cat/pipe.png" in said
    with pytest.raises(Unusable, match="may be a decompression bomb"):
        read_picture(folder / "dog" / "bomb.png", 8)
    for name, problem in (
        ("cat/story.png", "not an image"),
        ("dog/half.png", "damaged"),
        ("cat/empty.jpg", "not an"),
    ):
        with pytest.raises(Unusable, match=problem):
            read_picture(folder / name, 8)


def test_a_bomb_just_above_the_limit_is_not_decoded(tmp_path: Path) -> None:
    side = int(MAX_PIXELS**0.5) + 1
    bomb(tmp_path / "bomb.png", side)
    with pytest.raises(Unusable, match=f"more than {MAX_PIXELS} pixels, which may be a decompression bomb"):
        read_picture(tmp_path / "bomb.png", 8)


def deep_png(path: Path, kind: int, channels: int) -> Path:
    """A PNG of 8x8 pixels with 16 bits a channel, values to 4095; Pillow does not write such a file."""
    pixels = np.random.default_rng(0).integers(0, 4096, (8, 8 * channels)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, kind, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path


@pytest.mark.parametrize(("kind", "channels"), [(2, 3), (4, 2), (6, 4)], ids=["colour", "opacity", "both"])
def test_16_bits_in_several_channels_are_refused_because_half_of_them_would_be_lost(
    tmp_path: Path, kind: int, channels: int
) -> None:
    with pytest.raises(
        Unusable, match="16 bits for each of several channels; save it with 8 bits, or in grey"
    ):
        read_picture(deep_png(tmp_path / "deep.png", kind, channels), 8)
    grey = read_picture(deep_png(tmp_path / "grey.png", 0, 1), 8).pixels
    assert grey.dtype == np.uint16
    assert 255 < grey.max() < 4096

"""`glyphs`: letters of five alphabets and digits, drawn from the fonts that matplotlib ships.

A class is a character, and a sample is one typeface's drawing of it, slightly rotated, scaled and shifted.
Every drawing is first scaled so that its ink fills the same box, so a class is a shape: letters that some
typeface draws like an earlier letter, up to size (the Greek Alpha, the Cyrillic А and the Latin A; the Latin
c and C), are left out of both sides. Latin, Cyrillic and Armenian letters and digits are for meta-training,
Greek and Georgian letters for the test. A character has 24 samples of 12 to 21 typefaces, so some are two
drawings by one typeface.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fsbench.datasets.dataset import Dataset, DatasetInfo
from fsbench.errors import DataError, SpecError
from fsbench.rng import generator

if TYPE_CHECKING:
    from PIL import Image, ImageFont

TRAINING_ALPHABETS = {
    "latin": "ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghjkmnpqrtuy",
    "digits": "23456789",
    "cyrillic": "БДЖЛЦЧШЩЫЬЭЮЯЂЉЊЋ",
    "armenian": "ԲԳԴԵԶԷԸԹԺԻԽԾԿՀՁՃՄՅՆՇՈՉՊՋՎՐՒՔՖբեէըթիլխծկձճմնչպջվփքֆ",
}
EVALUATION_ALPHABETS = {
    "greek": "ΓΔΞΣΦΨΩαβγδεζηθλμξπςστφω",
    "georgian": "აბგდევზთიკლმნოპჟრსტუფქღყჩცძჭჯჰ",
}
TRAINING = "".join(TRAINING_ALPHABETS.values())
CHARACTERS = TRAINING + "".join(EVALUATION_ALPHABETS.values())
PER_CLASS = 24

_DEJAVU = tuple(
    f"DejaVu{family}{style}"
    for family, slant in (("Sans", "Oblique"), ("SansMono", "Oblique"), ("Serif", "Italic"))
    for style in ("", "-Bold", f"-{slant}", f"-Bold{slant}")
)
_STIX = ("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta")
_COMPUTER_MODERN = ("cmr10", "cmb10", "cmss10", "cmtt10", "cmmi10")
_FEWEST_FACES = 12
_EM = 96
_INK = 0.8
_CANVAS = 112
_MAX_ROTATION = 10.0
_MIN_SCALE = 0.85
_MAX_SHIFT = 0.06
_SMALLEST, _LARGEST = 8, 64


def glyphs_info(text: str, size: int = 28) -> DatasetInfo:
    """Glyphs with a `size` of 8 to 64 pixels a side. Raises SpecError for other sizes."""
    if not _SMALLEST <= size <= _LARGEST:
        raise SpecError(f"{text}: expected a size from {_SMALLEST} to {_LARGEST}")
    return DatasetInfo(
        text=text,
        description="characters of five alphabets in up to 21 typefaces",
        kind="image",
        shape=(1, size, size),
        classes=tuple(CHARACTERS),
        class_counts=(PER_CLASS,) * len(CHARACTERS),
        licence="fonts under the DejaVu, STIX and BaKoMa licences",
        citation="the fonts DejaVu, STIX and Computer Modern (Knuth 1986, as BaKoMa fonts); via matplotlib",
        symmetries=frozenset({"rotation", "translation", "scale", "colour"}),
        evaluation_classes=tuple(range(len(TRAINING), len(CHARACTERS))),
    )


def load_glyphs(info: DatasetInfo) -> Dataset:
    """Draw all samples: bright ink on black, by Pillow and its FreeType (10.4 and 13.0 draw the same).

    Raises DataError if fonts are missing or lack a character.
    """
    faces = Faces()
    images = np.stack(
        [
            draw_sample(faces, character, number, info.shape[-1])
            for character in info.classes
            for number in range(PER_CLASS)
        ]
    )
    return Dataset(info, images[:, None], np.repeat(np.arange(len(info.classes), dtype=np.int64), PER_CLASS))


class Faces:
    """The typefaces, and which characters each really has. Raises DataError if matplotlib lacks one."""

    def __init__(self) -> None:
        import matplotlib
        from matplotlib.ft2font import FT2Font
        from PIL import ImageFont

        folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
        self.fonts: dict[str, ImageFont.FreeTypeFont] = {}
        self._has: dict[str, set[str]] = {}
        for face in (*_DEJAVU, *_STIX, *_COMPUTER_MODERN):
            path = str(folder / f"{face}.ttf")
            self.fonts[face] = ImageFont.truetype(path, _EM, layout_engine=ImageFont.Layout.BASIC)
            self._has[face] = {chr(code) for code in FT2Font(path).get_charmap()}

    def having(self, character: str) -> list[str]:
        """The typefaces that draw a character. Raises DataError if they are fewer than twelve.

        Computer Modern counts for Latin letters and digits only, as its other codes are TeX's own.
        """
        ascii_only = set() if character.isascii() else set(_COMPUTER_MODERN)
        found = [face for face, has in self._has.items() if character in has and face not in ascii_only]
        if len(found) < _FEWEST_FACES:
            raise DataError(
                f"glyphs: matplotlib has {character!r} in only {len(found)} typefaces; install another "
                "version"
            )
        return found

    def draw(self, face: str, character: str) -> Image.Image:
        """The ink of a character at a large size, cut to its bounds."""
        from PIL import Image, ImageDraw

        page = Image.new("L", (3 * _EM, 3 * _EM))
        ImageDraw.Draw(page).text((_EM, _EM // 2), character, fill=255, font=self.fonts[face])
        return page.crop(page.getbbox())


def draw_sample(faces: Faces, character: str, number: int, size: int) -> np.ndarray:
    """Sample `number` of a character, `[size, size]` uint8: typefaces in turn, moved anew each time."""
    from PIL import Image

    having = faces.having(character)
    ink = faces.draw(having[number % len(having)], character)
    rng = generator("glyphs", ord(character), number)
    finer = -(-_CANVAS // size)
    canvas = size * finer
    angle = np.deg2rad(rng.uniform(-_MAX_ROTATION, _MAX_ROTATION))
    zoom = max(ink.size) / (canvas * _INK * rng.uniform(_MIN_SCALE, 1.0))
    shift = rng.uniform(-_MAX_SHIFT, _MAX_SHIFT, 2) * canvas
    moved = ink.transform(
        (canvas, canvas),
        Image.Transform.AFFINE,
        _canvas_to_ink(ink.size, canvas, angle, zoom, shift),
        Image.Resampling.BILINEAR,
    )
    return np.array(moved.reduce(finer), dtype=np.uint8)


def _canvas_to_ink(
    ink: tuple[int, int], canvas: int, angle: float, zoom: float, shift: np.ndarray
) -> tuple[float, ...]:
    """The affine map, row by row, from a pixel of the canvas to its place in the ink."""
    turn = zoom * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    offset = np.array(ink) / 2 - turn @ (canvas / 2 + shift)
    return tuple(np.column_stack([turn, offset]).ravel().tolist())

"""The font of PDFs: Noto Sans SC (SIL OFL 1.1, from a data package), cut down to the characters of one document.

The package holds OpenType outlines; they are turned into TrueType ones, because a PDF of TrueType glyphs has a plain
two-byte encoding, from which every reader can extract and search the text. The same characters give the same bytes.
"""

import io
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from fontTools import subset
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont, newTable

_PRECISION: Final = 1.0
"""Largest distance between the curves, in thousandths of the font size."""
_MAXIMA: Final = (
    "maxZones", "maxTwilightPoints", "maxStorage", "maxFunctionDefs", "maxInstructionDefs", "maxStackElements",
    "maxSizeOfInstructions", "maxComponentElements", "maxPoints", "maxContours", "maxCompositePoints",
    "maxCompositeContours", "maxComponentDepth",
)  # fmt: skip


def font_file() -> Path:
    """The font of the data package.

    Raises:
        RuntimeError: the package is not installed.
    """
    spec = find_spec("pylopdf_fonts_zh_cn")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the package pylopdf-fonts-zh-cn (Noto Sans SC) is not installed: PDFs cannot be made")
    return Path(spec.submodule_search_locations[0]) / "NotoSansSC-Regular.otf"


@lru_cache(maxsize=1)
def _known() -> frozenset[int]:
    with TTFont(font_file(), lazy=True) as font:
        return frozenset(font.getBestCmap())


def drawable(text: str) -> str:
    """The text with every character the font lacks written as its code point, `[U+1F600]`; a tab is a gap."""
    known, plain = _known(), text.replace("\t", "    ")
    return "".join(each if ord(each) in known or each == "\n" else f"[U+{ord(each):04X}]" for each in plain)


@lru_cache(maxsize=8)
def truetype(characters: frozenset[str]) -> bytes:
    """A TrueType font with the glyphs of these characters."""
    options = subset.Options(
        layout_features=[], hinting=False, desubroutinize=True, notdef_outline=True, recalc_timestamp=False
    )
    options.drop_tables += ["GSUB", "GPOS", "GDEF", "BASE", "VORG", "vhea", "vmtx", "DSIG"]
    written = io.BytesIO()
    with subset.load_font(str(font_file()), options) as font:
        cut = subset.Subsetter(options)
        cut.populate(unicodes=sorted(ord(each) for each in characters))
        cut.subset(font)
        _outlines(font)
        font.save(written)
    return written.getvalue()


def _outlines(font: Any) -> None:
    """Replace the cubic outlines by quadratic ones."""
    glyphs, order, drawn = font.getGlyphSet(), font.getGlyphOrder(), {}
    for name in order:
        pen = TTGlyphPen(glyphs)
        glyphs[name].draw(Cu2QuPen(pen, _PRECISION, reverse_direction=True))
        drawn[name] = pen.glyph()
    font["loca"], table = newTable("loca"), newTable("glyf")
    table.glyphOrder, table.glyphs = order, drawn
    font["glyf"] = table
    del font["CFF "]
    font["maxp"].tableVersion = 0x00010000
    for name in _MAXIMA:
        setattr(font["maxp"], name, 1 if name == "maxZones" else 0)
    font["post"].formatType, font["post"].extraNames, font["post"].mapping = 3.0, [], {}
    font.sfntVersion, font.recalcBBoxes, font.recalcTimestamp = "\000\001\000\000", True, False


__all__ = ["drawable", "font_file", "truetype"]

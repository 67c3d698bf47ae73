"""Texts of users on pictures: letter by letter, shortened where they must be, in fonts that have their letters."""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache

from matplotlib.artist import Artist
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font, weight_dict
from matplotlib.text import Text

from latentmap.errors import printable


def plain(text: str, most: int | None = None) -> str:
    """Write a user's text on one line, letter by letter: no formulas, nothing that fonts lack, cut in the middle."""
    return _cut(_letters(text), most).replace("$", r"\$")


def two_lines(text: str, most: int) -> str:
    """Write a text of users' on at most two lines of `most` characters, as `plain` does."""
    return _fit(_letters(text), most, 2).replace("$", r"\$")


def short_names(names: Sequence[str], most: int, *, lines: int = 1) -> tuple[str, ...]:
    """Write names on one or two lines of `most` characters each, as `plain` does, so that all stay different.

    Those that are too long are written without the words that all have, or the numbers that begin them; but not where
    several numbers alone would be left, if names that are cut differ too.
    """
    found = shortened(names, [_letters(name) for name in names], most, lines)
    return tuple(name.replace("$", r"\$") for name in found)


def shortened(names: Sequence[str], written: list[str], most: int, lines: int = 1) -> list[str]:
    """Shorten what is written of names, as `short_names` does, where nothing draws it."""
    return _told_apart(names, _without_shared(_rounded(written, most), most, lines), most, lines)


def _without_shared(names: list[str], most: int, lines: int) -> list[str]:
    """Names without the words that all have, or the numbers that begin them, where they are too long with these."""
    different = len(set(names))
    if different < 2 or max(map(len, names)) <= most:
        return names
    words = [re.findall(r"[^\W\d_]+|\d+|[\W_]+", name) for name in names]
    shared = {word for word in set.intersection(*map(set, words)) if word.isalnum()}
    told = names
    if shared:
        marked = ["".join("…" if word in shared else word for word in line) for line in words]
        told = [re.sub(r"[\W_]*…[\W_…]*", "…", name).strip("…") for name in marked]
        inner = [_without_ends(line, shared) for line in words]  # "A day 1" says more than "A…1"
        told = inner if max(map(len, inner)) <= most else told
        several_numbers = any("…" in name for name in told) and not any(map(str.isalpha, "".join(told)))
        if several_numbers and len({_fit(name, most, lines) for name in names}) == different:
            told = names
    unnumbered = [re.sub(r"^[^\W_]?\d{4,}[\W_]+", "", name) for name in told]
    told = unnumbered if len(set(unnumbered)) == different else told
    return [new if new and len(old) > most else old for new, old in zip(told, names, strict=True)]


def _told_apart(names: Sequence[str], written: Sequence[str], most: int, lines: int) -> list[str]:
    """What is written of names, cut to fit, with a number where several names would then be the same."""
    fitted = [_fit(text, most, lines) for text in written]
    alike: dict[str, dict[str, int]] = {}
    for name, text in zip(names, fitted, strict=True):
        alike.setdefault(text, {}).setdefault(name, len(alike[text]) + 1)

    def numbered(name: str, text: str) -> str:
        end = f"~{alike[text][name]}"
        return _fit(_cut(" ".join(text.split()), most * lines - 2 - len(end)) + end, most, lines)

    return [numbered(name, text) if len(alike[text]) > 1 else text for name, text in zip(names, fitted, strict=True)]


def _without_ends(words: Sequence[str], shared: set[str]) -> str:
    """A name from the first of its words that not all names have to the last."""
    own = [i for i, word in enumerate(words) if word.isalnum() and word not in shared]
    return "".join(words[own[0] : own[-1] + 1]) if own else ""


def _rounded(names: list[str], most: int) -> list[str]:
    """Names that are all numbers with as few digits as tell them apart, where one has too many."""
    if max(map(len, names), default=0) <= most or not all(
        re.fullmatch(r"-?\d*\.?\d+(e-?\d+)?", name) for name in names
    ):
        return names
    for digits in range(3, most):
        short = [f"{float(name):.{digits}g}" for name in names]
        if len(set(short)) == len(set(names)):
            return short
    return names


def _fit(text: str, most: int, lines: int) -> str:
    """Cut a text to one or two lines of `most` characters, broken where a word ends if that can be."""
    if len(text) <= most or lines == 1:
        return _cut(text, most)
    ends = [i for i in range(1, most + 1) if not (text[i - 1].isalnum() or text[i - 1] == "\\") or text[i] == " "]
    ends = ends or [min(most, (len(text) + 1) // 2)]
    whole = [i for i in ends if len(text) - i <= most]
    place = min(whole, key=lambda i: abs(i - len(text) / 2)) if whole else ends[-1]
    return f"{text[:place].rstrip()}\n{_cut(text[place:].lstrip(), most)}"


def _cut(text: str, most: int | None) -> str:
    """Cut a text in the middle, marking the cut: what comes last often tells names apart."""
    if most is None or len(text) <= most:
        return text
    tail = (most - 1) * 2 // 5
    return f"{text[: most - 1 - tail].rstrip()}…{text[len(text) - tail :].lstrip()}"


@lru_cache(maxsize=10_000)
def _letters(text: str) -> str:
    """Put a text on one line, without invisible marks; what no font has is escaped as in Python's source."""
    base = _base_fonts()
    marks = {char for char in text if unicodedata.category(char) == "Cf" or "\ufe00" <= char <= "\ufe0f"}
    # Marks are directions, joiners, variants.
    visible = printable("".join(char for char in " ".join(text.split()) if char not in marks))
    return "".join(char if _family(char, base) is not None else ascii(char)[1:-1] for char in visible) or ascii(text)


def _base_fonts() -> tuple[tuple[str, str], ...]:
    """Return the files, light and bold, of the families that texts are drawn in where nobody says otherwise."""

    def file(family: str, weight: str) -> str:
        return str(findfont(FontProperties(family=[family], weight=weight)))

    families = FontProperties().get_family()
    return tuple((file(family, "normal"), file(family, "bold")) for family in families)


@cache
def _family(char: str, base: tuple[tuple[str, str], ...]) -> str | None:
    """Return which family of fonts has a character: "" where it is of the base, None where no font has it."""
    code = ord(char)
    if any(code in _characters(light) and code in _characters(bold) for light, bold in base):
        return ""
    return next(
        (name for name, files in _other_fonts().items() if all(code in _characters(f) for f in files.values())), None
    )


@cache
def _other_fonts() -> dict[str, dict[int, str]]:
    """Return the upright fonts of the system by family and weight, those first that look like matplotlib's own."""
    placeholders_pixels_formulas = re.compile(r"Last ?Resort|Color|^\.|^STIX|^cm[a-z]+\d+$|Math")
    found: dict[str, dict[int, str]] = {}
    for font in fontManager.ttflist:
        weight = weight_dict[font.weight] if isinstance(font.weight, str) else font.weight
        upright = (font.style, font.stretch) == ("normal", "normal") and weight in {400, 700}
        if upright and not placeholders_pixels_formulas.search(font.name):
            found.setdefault(font.name, {})[weight] = font.fname
    names = sorted(found, key=lambda n: (n != "DejaVu Sans", not re.search("Sans|Gothic", n), "Mono" in n, n))
    return {name: found[name] for name in names if 400 in found[name]}


@cache
def _characters(file: str) -> frozenset[int]:
    """Return the characters a font has."""
    try:
        return frozenset(get_font(file).get_charmap())
    except (RuntimeError, OSError):  # gone, or of pixels at fixed sizes
        return frozenset()


def choose_fonts(artist: Artist) -> None:
    """Name fonts for the letters that the usual one lacks, in all texts of an artist, and keep TeX away from names."""
    base = _base_fonts()
    for text in artist.findobj(Text):
        text.set_usetex(False)
        found = set(filter(None, (_family(char, base) for char in set(text.get_text()) - {"\n"})))
        own = text.get_fontfamily()
        if not found.issubset(own):
            text.set_fontfamily([*own, *sorted(found)])
            if any(700 not in _other_fonts()[name] for name in found):  # matplotlib would say that there is no bold
                text.set_fontweight("normal")


def error_text(error: float) -> str:
    """Write an error with as many digits as tell it: 0.0287, 0.00053, 8.3e-7, 3.2e10."""
    if abs(error) >= 1e5:
        return f"{error:.1e}".replace("e+0", "e").replace("e+", "e")
    if abs(error) >= 0.001 or error == 0:  # a loss may be below 0
        return f"{error:.4f}"
    return f"{error:.5f}" if error >= 0.0001 else f"{error:.1e}".replace("e-0", "e-")

"""One page that tells the results: plain records in, a self-contained index.html out, readable offline on any screen.

Leaves out scripts and anything from elsewhere; the look is in report.css, and images stay files beside the page.
"""

import os
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from pathlib import Path

from visual.files import write_atomic


@dataclass(frozen=True)
class Tile:
    """One headline number and what it means: `Tile("51 %", "of the MACs removed", "accuracy 88.1 % → 87.6 %")`."""

    value: str
    meaning: str
    detail: str = ""


@dataclass(frozen=True)
class Figure:
    """An image in the report's folder; `alt` says what a reader who cannot see it should know."""

    path: str
    alt: str
    caption: str = ""


@dataclass(frozen=True)
class Row:
    """Figures side by side where the screen is wide enough; drawn at `style.HALF` their text stays legible."""

    figures: Sequence[Figure]


@dataclass(frozen=True)
class Table:
    """Rows of texts under column heads; a column whose every cell starts like a number is set flush right."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    highlight: int | None = None  # number of a row to stress


@dataclass(frozen=True)
class Commands:
    """Things to type next: pairs of a command and what it shows."""

    items: Sequence[tuple[str, str]]
    title: str = "Try this next"


@dataclass(frozen=True)
class Section:
    """A chapter: a title, the question it answers, and blocks in reading order. A plain string is a paragraph."""

    title: str
    blocks: "Sequence[str | Figure | Row | Table | Commands]" = field(default_factory=tuple)
    question: str = ""


def write_report(
    folder: str | os.PathLike[str],
    title: str,
    sections: Sequence[Section],
    *,
    intro: str = "",
    tiles: Sequence[Tile] = (),
    appendix: Section | None = None,
    footer: str = "",
) -> Path:
    """Write `folder`/index.html and return its path.

    Every text is escaped; in prose, `code` in back-ticks and **strong** words are set as such.
    Raises FileNotFoundError for a figure that is not in the folder, ValueError for one without an alt text.

    >>> import tempfile
    >>> page = write_report(tempfile.mkdtemp(), "Tour", [Section("Pruning", ["Less is **enough**."])])
    >>> "<strong>enough</strong>" in page.read_text()
    True
    """
    folder = Path(folder)
    chapters = [*sections, *([appendix] if appendix else [])]
    style = files("visual").joinpath("report.css").read_text(encoding="utf-8")
    body = [
        _header(title, intro, tiles),
        _contents(chapters),
        '<main id="main">',
        *(
            _section(section, number, folder, is_appendix=section is appendix)
            for number, section in enumerate(chapters, 1)
        ),
        "</main>",
        f"<footer><p>{_prose(footer)}</p></footer>" if footer else "",
    ]
    page = _PAGE.format(title=escape(title), style=style, body="\n".join(filter(None, body)))
    return write_atomic(folder / "index.html", page.encode("utf-8"))


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the results</a>
{body}
</body>
</html>
"""


def _header(title: str, intro: str, tiles: Sequence[Tile]) -> str:
    items = "".join(
        f'<li><span class="value">{escape(tile.value)}</span><span class="meaning">{_prose(tile.meaning)}</span>'
        + (f'<span class="detail">{_prose(tile.detail)}</span>' if tile.detail else "")
        + "</li>"
        for tile in tiles
    )
    lead = "".join(f'<p class="lead">{_prose(part)}</p>' for part in intro.split("\n\n") if part)
    return (
        f"<header><h1>{escape(title)}</h1>{lead}" + (f'<ul class="tiles">{items}</ul>' if tiles else "") + "</header>"
    )


def _contents(sections: Sequence[Section]) -> str:
    links = "".join(
        f'<li><a href="#s{number}">{escape(section.title)}</a></li>' for number, section in enumerate(sections, 1)
    )
    return f'<nav aria-label="Contents"><ol>{links}</ol></nav>' if len(sections) > 1 else ""


def _section(section: Section, number: int, folder: Path, *, is_appendix: bool) -> str:
    kicker, kind = ("Appendix", ' class="appendix"') if is_appendix else (f"Chapter {number}", "")
    question = f'<p class="question">{_prose(section.question)}</p>' if section.question else ""
    head = f'<p class="kicker">{kicker}</p><h2 id="h{number}">{escape(section.title)}</h2>{question}'
    blocks = "\n".join(_block(block, folder) for block in section.blocks)
    return f'<section id="s{number}" aria-labelledby="h{number}"{kind}>{head}\n{blocks}\n</section>'


def _block(block: str | Figure | Row | Table | Commands, folder: Path) -> str:
    match block:
        case str():
            return f"<p>{_prose(block)}</p>"
        case Figure():
            return _figure(block, folder)
        case Row():
            return '<div class="row">' + "".join(_figure(figure, folder) for figure in block.figures) + "</div>"
        case Table():
            return _table(block)
        case Commands():
            items = "".join(
                f"<dt><code>{escape(command)}</code></dt><dd>{_prose(meaning)}</dd>" for command, meaning in block.items
            )
            return f'<aside class="commands"><h3>{escape(block.title)}</h3><dl>{items}</dl></aside>'
    raise TypeError(f"a section's block is {type(block).__name__}, expected str, Figure, Row, Table or Commands")


def _figure(figure: Figure, folder: Path) -> str:
    if not figure.alt.strip():
        raise ValueError(f"figure {figure.path!r} has no alt text; say in a sentence what it shows")
    source = Path(figure.path)
    if source.is_absolute() or ".." in source.parts or not (folder / source).is_file():
        raise FileNotFoundError(f"figure {figure.path!r} is not a file inside {str(folder)!r}; save it there first")
    size = _png_size(folder / source)
    shape = f' width="{size[0]}" height="{size[1]}"' if size else ""
    widest = f' style="--natural: {round(0.72 * size[0])}px"' if size else ""  # text of figures as large as the page's
    name = escape(source.as_posix())
    image = f'<a href="{name}"><img src="{name}" alt="{escape(figure.alt)}"{shape} loading="lazy"></a>'
    return (
        f"<figure{widest}>{image}"
        + (f"<figcaption>{_prose(figure.caption)}</figcaption>" if figure.caption else "")
        + "</figure>"
    )


def _png_size(path: Path) -> tuple[int, int] | None:
    """Width and height from a PNG's header (so that the page does not jump while images load), else None."""
    with path.open("rb") as file:
        head = file.read(24)
    return struct.unpack(">II", head[16:24]) if len(head) == 24 and head.startswith(b"\x89PNG") else None


def _table(table: Table) -> str:
    for row in table.rows:
        if len(row) != len(table.columns):
            raise ValueError(f"a table row has {len(row)} cells, expected {len(table.columns)}: {list(row)}")
    kinds = [
        ' class="number"' if all(_looks_numeric(text) for text in column) else ""
        for column in (zip(*table.rows, strict=True) if table.rows else [()] * len(table.columns))
    ]
    head = "".join(
        f'<th scope="col"{kind}>{_prose(text)}</th>' for text, kind in zip(table.columns, kinds, strict=True)
    )
    rows = "".join(_row(row, kinds, number == table.highlight) for number, row in enumerate(table.rows))
    caption = f"<caption>{_prose(table.caption)}</caption>" if table.caption else ""
    body = f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    label = escape(table.caption or "Table")  # the box scrolls sideways on small screens, so the keyboard must reach it
    return f'<div class="table" tabindex="0" role="group" aria-label="{label}">{body}</div>'


def _row(texts: Sequence[str], kinds: Sequence[str], stressed: bool) -> str:
    cells = "".join(f"<td{kind}>{_prose(text)}</td>" for text, kind in zip(texts, kinds, strict=True))
    return f'<tr class="highlight">{cells}</tr>' if stressed else f"<tr>{cells}</tr>"


def _looks_numeric(text: str) -> bool:
    return re.match(r"\s*([-+−±×<>≤≥~]?\s*\.?\d|[-–—]?\s*$)", text) is not None


_MARKS = re.compile(r"`([^`]+)`|\*\*([^*`]+)\*\*|(?<=\d) (?=%)")


def _prose(text: str) -> str:
    """Escape everything, then set `code` and **strong** words, and keep numbers with their per cent signs."""
    return _MARKS.sub(_mark, escape(text))


def _mark(match: re.Match[str]) -> str:
    code, strong = match.groups()
    if code:
        return f"<code>{code}</code>"
    return f"<strong>{_MARKS.sub(_mark, strong)}</strong>" if strong else "\N{NO-BREAK SPACE}"

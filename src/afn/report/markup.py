"""HTML as far as the results page needs it: text is escaped unless it is `Html` already."""

import base64
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class Html(str):
    """Text that is markup."""


def text(content: str) -> Html:
    """`content` as markup: escaped, unless it is markup already."""
    return content if isinstance(content, Html) else Html(html.escape(content))


def join(parts: Iterable[str], between: str = "") -> Html:
    return Html(between.join(text(part) for part in parts))


def element(name: str, content: str = "", /, **attributes: str) -> Html:
    """`<name …>content</name>`; an attribute's trailing underscore is left out (class_), an empty one as a whole."""
    given = "".join(f' {key.rstrip("_")}="{html.escape(value)}"' for key, value in attributes.items() if value)
    return Html(f"<{name}{given}>{text(content)}</{name}>")


def paragraph(content: str, kind: str = "") -> Html:
    return element("p", content, class_=kind)


def strong(content: str) -> Html:
    return element("strong", content)


def code(content: str) -> Html:
    return element("code", content)


def section(name: str, title: str, *parts: str) -> Html:
    return element("section", join([element("h2", title), *parts], "\n"), id=name)


@dataclass(frozen=True)
class Cell:
    """One cell of a table: `kind` its classes, `span` its columns, `rows` its rows."""

    content: str
    kind: str = ""
    span: int = 1
    rows: int = 1

    def drawn(self, name: str, scope: str = "") -> Html:
        span, rows = (str(n) if n > 1 else "" for n in (self.span, self.rows))
        return element(name, self.content, class_=self.kind, colspan=span, rowspan=rows, scope=scope)


def table(
    head: Sequence[Sequence[Cell | str]], bodies: Sequence[Sequence[Sequence[Cell | str]]], label: str, kind: str = ""
) -> Html:
    """A table in a box that scrolls by itself where the page is narrower; `label` says to a screen reader what it is.

    The first cell of every row heads it. Plain strings are cells; `bodies` are groups of rows.
    """
    lines = [join(_cell(cell).drawn("th", "col") for cell in row) for row in head]
    drawn = [element("thead", join(element("tr", line) for line in lines))]
    for body in bodies:
        rows = [[_cell(row[0]).drawn("th", "row"), *(_cell(cell).drawn("td") for cell in row[1:])] for row in body]
        drawn.append(element("tbody", join([element("tr", join(row)) for row in rows], "\n")))
    return box(element("table", join(drawn, "\n"), class_=kind), label)


def box(content: Html, label: str) -> Html:
    """What may be wider than the page; it scrolls by itself."""
    return Html(f'<div class="box" role="region" tabindex="0" aria-label="{html.escape(label)}">{content}</div>')


def picture(png: bytes, description: str, caption: str, scale: float = 1.5, least: float = 0.6) -> Html:
    """A PNG within the page; `description` is for those who cannot see it.

    `scale` of its pixels are one of the screen. On a narrower page it shrinks to `least` of that, then scrolls.
    """
    width, height = (int.from_bytes(png[start : start + 4], "big") for start in (16, 20))  # of the header chunk
    shown, narrowest = round(width / scale), round(least * width / scale)
    image = Html(
        f'<img src="data:image/png;base64,{base64.b64encode(png).decode()}" alt="{html.escape(description)}" '
        f'width="{shown}" height="{round(height / scale)}" style="min-width:{narrowest}px">'
    )
    return element("figure", join([box(image, description), element("figcaption", caption)]))


def _cell(cell: Cell | str) -> Cell:
    return cell if isinstance(cell, Cell) else Cell(cell)

"""Pieces of an HTML page; whatever is passed in as text leaves escaped."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --text: #1c2430;
  --faint: #5b6675; --rule: #dde2e8; --accent: #2563a8; --good: #1f7a4d; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --page: #12161c; --card: #1b212a; --text: #e4e9f0;
  --faint: #9aa6b5; --rule: #303945; --accent: #7fb2ec; --good: #6cc79a; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 0 0 12px; }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 10px;
  padding: 20px; margin-top: 20px; }
p { margin: 0 0 10px; max-width: 75ch; } p:last-child { margin-bottom: 0; }
.faint { color: var(--faint); } .good { color: var(--good); } .bad { color: var(--bad); }
.status { font-weight: 600; overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px;
  margin-top: 20px; }
.tile { background: var(--card); border: 1px solid var(--rule); border-radius: 10px;
  padding: 14px 16px; }
.tile b { display: block; font-size: 1.45rem; line-height: 1.3; }
.tile span { color: var(--faint); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: 6px 12px 6px 0;
  border-bottom: 1px solid var(--rule); overflow-wrap: anywhere; }
th { color: var(--faint); font-weight: 600; white-space: nowrap; }
tr:last-child td { border-bottom: 0; }
td.number, th.number { text-align: right; white-space: nowrap; }
img { display: block; max-width: 100%; height: auto; border-radius: 6px; background: #fff; }
dt { font-weight: 600; } dd { margin: 0 0 8px; color: var(--faint); max-width: 75ch; }
meter { width: 100%; min-width: 120px; height: 14px; }
code { font: 0.92em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
"""


class Raw(str):
    """HTML that is made by this package and must not be escaped again."""


def cell(value: object) -> str:
    """Return `value` as the inside of an element."""
    return value if isinstance(value, Raw) else escape(str(value))


def table(
    heads: Sequence[str], rows: Iterable[Sequence[object]], numbers: Sequence[int] = ()
) -> Raw:
    """Return a table; the columns in `numbers` are set to the right."""

    def line(tag: str, values: Sequence[object]) -> str:
        opened = (f'{tag} class="number"' if i in numbers else tag for i in range(len(values)))
        pairs = zip(opened, values, strict=True)
        return "".join(f"<{start}>{cell(value)}</{tag}>" for start, value in pairs)

    body = "".join(f"<tr>{line('td', row)}</tr>\n" for row in rows)
    head = f"<thead><tr>{line('th', heads)}</tr></thead>" if heads else ""
    return Raw(f'<div class="scroll"><table>{head}<tbody>\n{body}</tbody></table></div>')


def section(title: str, *parts: str) -> Raw:
    """Return a titled part of the page; `parts` that are not `Raw` become paragraphs."""
    inside = "\n".join(
        part if isinstance(part, Raw) else f"<p>{escape(part)}</p>" for part in parts
    )
    return Raw(f"<section><h2>{escape(title)}</h2>\n{inside}\n</section>")


def picture(png: bytes, text: str) -> Raw:
    """Return an image that carries its own bytes; `text` says what it shows."""
    data = base64.b64encode(png).decode()
    return Raw(f'<img alt="{escape(text)}" src="data:image/png;base64,{data}">')


def bar(share: float) -> Raw:
    """Return a bar of the length `share`, from 0 to 1."""
    return Raw(f'<meter min="0" max="1" value="{min(1.0, max(0.0, share)):.4f}"></meter>')


def page(title: str, *parts: str) -> str:
    """Return a whole page that loads nothing, whatever its parts hold."""
    # the policy is a second wall behind the escaping: no script, nothing from elsewhere
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )

"""What the site has beside the pages of docs/: benchmark results, the changelog, the settings.

A link that works in the repository works on the site too: where it leaves docs/ for a file that
the site has under another name, it is rewritten; any other link out of docs/ fails a strict build.
"""

from __future__ import annotations

import posixpath
import re
from itertools import groupby
from pathlib import Path

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from fdd_flower import cli
from fdd_flower.commands.setup.settings import shown
from fdd_flower.config import Key, keys

ROOT = Path(__file__).parent.parent
RESULTS = "benchmarks/results"
cli.command = typer.main.get_command(cli.app)  # mkdocs-click finds a Click command by name
LINK = re.compile(r"(\]\()(?!https?:|mailto:|#)([^)#\s]+)")


def _outside() -> dict[str, str]:
    """Return, by path in the repository, where the site has a file that is not in docs/."""
    found = {
        f"{name}.md": f"{name.lower()}.md" for name in ("CHANGELOG", "CONTRIBUTING", "SECURITY")
    }
    for path in sorted((ROOT / RESULTS).rglob("*")):
        if path.is_file():
            found[path.relative_to(ROOT).as_posix()] = path.relative_to(
                ROOT / "benchmarks"
            ).as_posix()
    return found


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files that are not in docs/."""
    for source, target in _outside().items():
        files.append(File.generated(config, target, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite the links that leave docs/, and fill in the table of settings."""
    here = page.file.src_uri
    outside = _outside()
    source = {target: name for name, target in outside.items()}.get(here, f"docs/{here}")

    def rewrite(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[2]))
        target = outside.get(path) or (
            path.removeprefix("docs/") if path.startswith("docs/") else ""
        )
        if not target:
            return match[0]
        return match[1] + posixpath.relpath(target, posixpath.dirname(here) or ".")

    markdown = LINK.sub(rewrite, markdown)
    return markdown.replace("<!-- settings -->", _settings()) if here == "settings.md" else markdown


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Take out of the commands' options the escapes that Rich would take out in a terminal."""
    return html.replace("\\[", "[") if page.file.src_uri == "reference/commands.md" else html


def _settings() -> str:
    """Return the settings to know first in one table, and then all, a table for each section."""
    known = list(keys().values())
    lines = ["## The settings to know first", "", *_table([key for key in known if key.first])]
    for section, own in groupby(known, key=lambda key: key.section):
        lines += ["", f"## {section}" if section else "## The run", "", *_table(list(own))]
    return "\n".join(lines)


def _table(found: list[Key]) -> list[str]:
    lines = ["| key | default | allowed | meaning |", "|---|---|---|---|"]
    for key in found:
        cells = (f"`{key.name}`", f"`{shown(key)}`", key.allowed, key.doc)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return lines

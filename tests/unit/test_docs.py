"""Pages, and what the program says of them: each link leads to a page and a heading that are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "lab/**/*.md", "tests/*.md")
    for page in ROOT.glob(pattern)
)
PROGRAM = [
    one
    for room in ("stacks", "live", "components", "fleet", "lab")
    for one in (ROOT / room).rglob("*.py")
]
FENCED = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", page.read_text()), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", one) for one in headings)
    return {re.sub(r"[^\w\- ]", "", one.strip().lower()).replace(" ", "-") for one in plain}


def _lost(links: Iterator[tuple[Path, str]]) -> list[str]:
    lost = []
    for source, link in links:
        path, _, anchor = link.partition("#")
        page = (source.parent / path).resolve() if path else source
        if not page.exists() or (anchor and anchor not in _anchors(page)):
            lost.append(f"{source.relative_to(ROOT)}: {link}")
    return lost


def test_links_of_pages() -> None:
    assert len(PAGES) > 40
    links = (
        (page, link)
        for page in PAGES
        for link in re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", page.read_text()))
        if not re.match(r"https?:|mailto:", link)
    )
    assert _lost(links) == []


def test_pages_that_messages_name() -> None:
    found = [
        (ROOT / "x", link)
        for file in PROGRAM
        for link in re.findall(r"docs/[\w/-]+\.md(?:#[\w-]+)?", file.read_text())
    ]
    assert len(found) > 10
    assert _lost(iter(found)) == []

"""What shows the services: the page's structure and escaping, the terminal's table, JSON. Browsers: `real/`."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from xml.sax.saxutils import escape

import pytest
from rich.console import Console

from fleet.releases.as_json import to_json
from fleet.releases.cell import Cell
from fleet.releases.marks import KINDS, Marker
from fleet.releases.matrix import columns
from fleet.releases.page import page
from fleet.releases.plain import age, plain, tag
from fleet.releases.table import table
from tests.releases_cells import BIDI, HOSTILE, IMAGE, NOW, a_cell, every_mark, many

_VOID = {"meta", "br", "img", "input", "col", "link"}
_UNCLOSED = {"dt", "dd"}
_FROM_GIT = ("service", "environment", "cluster", "team", "version", "by", "source", "sync")
_TEXTS = (HOSTILE, BIDI, "x" * 5000, "אבג דהו", "a\x00\x1b[31mb", "{{ 7*7 }}")


class _Page(HTMLParser):
    """The elements of a page, and the text of each; fails at one that is closed wrongly."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID | _UNCLOSED:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open[-1] if self._open else "", data))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def shown(cells: Sequence[Cell], *, asked_hub: bool = True, title: str = "Services") -> _Page:
    return _Page(page(cells, title=title, asked_hub=asked_hub, at=NOW))


def marks_of(cells: Sequence[Cell], index: int = -1) -> list[tuple[str, str]]:
    return [(mark.kind.key, mark.word) for mark in Marker(cells).marks(cells[index])]


def test_it_is_a_table_that_a_screen_reader_can_read() -> None:
    found = shown(every_mark())
    assert found.of("html") == [{"lang": "en"}]
    scopes = [one["scope"] for one in found.of("th")]
    assert {one: scopes.count(one) for one in scopes} == {
        "col": 1 + 4, "colgroup": 2, "row": len(KINDS) + 1,
    }  # fmt: skip
    assert [one["colspan"] for one in found.of("th") if one["scope"] == "colgroup"] == ["1", "3"]
    assert len(found.of("caption")) == 1
    region = next(one for one in found.of("div") if one.get("role") == "region")
    assert region["tabindex"] == "0"
    assert region["aria-labelledby"] == found.of("caption")[0]["id"]
    assert len(found.of("details")) == 4 * (len(KINDS) + 1)


def test_it_asks_for_nothing_and_runs_nothing() -> None:
    html = page(many(3, 12), title="x", asked_hub=True, at=NOW)
    found = _Page(html)
    assert not re.search(r"url\(|@import|https?://", html)
    assert {tag for tag, _ in found.elements} & {"script", "link", "img", "a", "iframe"} == set()
    assert all(not {"src", "href", "style"} & {*attributes} for _, attributes in found.elements)
    policy = next(one for one in found.of("meta") if "http-equiv" in one)
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_every_mark_is_a_word_with_a_count_in_the_legend() -> None:
    found = shown(every_mark())
    radios = [one["id"] for one in found.of("input") if "disabled" not in one]
    assert radios == ["f-all", *(f"f-{key}" for key in KINDS)]
    words = [text for tag, text in found.texts if tag == "i"]
    assert words[: len(KINDS)] == [kind.word for kind in KINDS.values()]
    assert len(words) == 2 * len(KINDS)
    nothing = shown([a_cell()])
    assert ["disabled" in one for one in nothing.of("input")] == [False] + [True] * len(KINDS)


def test_where_the_hub_was_not_asked_nothing_is_called_well() -> None:
    bare = a_cell(sync="", health="", running=(), revision="")
    asked, not_asked = (page([bare], title="x", asked_hub=one, at=NOW) for one in (True, False))
    assert "v ok" in asked
    assert "v ok" not in not_asked
    assert "The hub wasn't asked" in not_asked


@pytest.mark.parametrize("field", _FROM_GIT)
@pytest.mark.parametrize("text", _TEXTS)
def test_whatever_comes_from_git_is_text(field: str, text: str) -> None:
    cell = a_cell(**{"source": "staging", "behind": 2, field: text})
    html = page([cell, a_cell(cluster="c-2")], title=text, asked_hub=True, at=NOW)
    found = _Page(html)
    assert {tag for tag, _ in found.elements} & {"script", "img"} == set()
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00\x1b]", html)
    assert any(plain(text) in one for _, one in found.texts)
    if not text.isascii():
        assert f"<bdi>{escape(plain(text))}</bdi>" in html


@pytest.mark.parametrize("field", ["images", "running", "held"])
def test_images_are_text_too(field: str) -> None:
    found = shown([a_cell(**{field: (HOSTILE, BIDI)})])
    assert {tag for tag, _ in found.elements} & {"script", "img"} == set()
    assert any(plain(BIDI) in text for _, text in found.texts)


def test_a_status_of_argo_cd_makes_no_class() -> None:
    (kind,) = marks_of([a_cell(health='x" onclick="y')])
    assert kind == ("unknown", "unknown")


def test_each_kind_of_mark() -> None:
    cells = every_mark()
    for key in KINDS:
        index = next(n for n, one in enumerate(cells) if one.service == key and one.cluster == "prod-1")  # fmt: skip
        assert [kind for kind, _ in marks_of(cells, index)] == [key]
        assert marks_of(cells, index + 1) == []
    assert marks_of([a_cell(running=(f"{IMAGE}:v1",))]) == [("deviates", "runs v1")]
    assert marks_of([a_cell(source="staging", behind=3)]) == [("behind", "3 behind staging")]


def test_clusters_of_an_environment_that_differ() -> None:
    def of(*versions: str) -> list[bool]:
        cells = [a_cell(version=one, cluster=f"c-{n}") for n, one in enumerate(versions)]
        return [bool(Marker(cells).marks(cell)) for cell in cells]

    assert of("v1", "v1", "v1") == [False, False, False]
    assert of("v1", "v2", "v1") == [False, True, False]
    assert of("v1", "v2") == [True, True], "neither is the usual one"


def test_behind_by_nobody_knows_how_much() -> None:
    staging = a_cell(environment="staging", version="v2")
    for version, expected in (("v1", [("behind", "not as staging")]), ("v2", [])):
        production = a_cell(environment="production", source="staging", version=version)
        assert marks_of([staging, production]) == expected
    assert marks_of([a_cell(environment="production", source="staging", version="v1")]) == []


def test_a_source_stands_before_what_is_promoted_from_it() -> None:
    def where(service: str, environment: str, source: str = "") -> Cell:
        return a_cell(service=service, environment=environment, source=source, cluster=environment)

    cells = [where("a", "production", "staging"), where("b", "dev"), where("b", "staging", "dev")]
    assert list(columns(cells)) == ["dev", "staging", "production"]
    unknown = [where("a", "production"), where("b", "dev"), where("b", "production")]
    assert list(columns(unknown)) == ["dev", "production"]
    circle = [where("a", "x", "y"), where("a", "y", "x")]
    assert list(columns(circle)) == ["x", "y"], "as they come, and no crash"


def test_two_repos_may_have_a_service_of_one_name() -> None:
    found = shown([a_cell(), a_cell(repo="https://git.example.com/acme/other.git")])
    assert len(found.of("details")) == 2


def test_nothing_at_all() -> None:
    assert "0 services on 0 clusters" in page([], title="x", asked_hub=False, at=NOW)
    assert to_json([]) == []


def test_a_large_fleet_is_no_large_file() -> None:
    html = page(many(), title="x", asked_hub=True, at=NOW)
    assert html.count("<details") == 10_600
    assert len(html.encode()) < 6_000_000


def printed(cells: Sequence[Cell], *, terminal: bool = False, width: int = 300) -> list[str]:
    out = Console(file=io.StringIO(), force_terminal=terminal, width=width, markup=False)
    out.print(table(cells, out, at=NOW))
    return [line.rstrip() for line in out.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def test_the_table_has_one_row_for_what_is_the_same() -> None:
    clusters = [
        a_cell(environment="production", cluster=f"prod-{n}", source="staging", behind=2)
        for n in (1, 2)
    ]
    lines = printed([a_cell(), *clusters])
    same = ["v2.3.0", "01234567", "Synced", "Healthy", "3 d", "Ada Lovelace"]
    assert [re.split(r"\s{2,}", line) for line in lines] == [
        ["Service", "Environment", "Version", "Commit", "Sync", "Health", "Age", "By", "Behind"],
        ["payment-service", "staging (staging-1)", *same, "-"],
        ["payment-service", "production (2 clusters)", *same, "2 behind staging"],
    ]
    other = [clusters[0], a_cell(environment="production", cluster="prod-2", version="v1")]
    assert [line.split()[2] for line in printed(other)[1:]] == ["(prod-1)", "(prod-2)"]


def test_the_table_tells_of_holds_and_of_what_runs_instead() -> None:
    held, running = (f"{IMAGE}:v2.3.1",), (f"{IMAGE}:v1.9.9",)
    (line,) = printed([a_cell(held=held, running=running, sync="Missing")])[1:]
    assert "v2.3.0 (on hold: v2.3.1) runs v1.9.9" in line
    assert "Missing" in line


def test_the_table_has_colours_on_a_terminal_only_and_git_steers_none_of_it() -> None:
    cell = a_cell(by="\x1b]0;owned\x07 [red]x[/red]" + BIDI)
    assert "\x1b" in "".join(printed([cell], terminal=True))
    piped = "".join(printed([cell]))
    assert not re.search("[\x1b\x07\u202e]", piped)
    assert "[red]x[/red]evil[U+202E]gnp" in piped


def test_json_has_stable_keys_and_times_in_utc() -> None:
    there = datetime(2026, 11, 27, 12, 0, tzinfo=timezone(timedelta(hours=2)))
    cells = [a_cell(at=there, held=(IMAGE,)), a_cell(service="a", running=())]
    first, second = json.loads(json.dumps(to_json(cells)))
    assert first == {
        "service": "payment-service",
        "environment": "staging",
        "cluster": "staging-1",
        "team": "payments",
        "repo": "https://git.example.com/acme/gitops-config.git",
        "images": [f"{IMAGE}:v2.3.0"],
        "version": "v2.3.0",
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "at": "2026-11-27T10:00:00Z",
        "by": "Ada Lovelace",
        "source": "",
        "behind": None,
        "held": [IMAGE],
        "running": [f"{IMAGE}:v2.3.0"],
        "sync": "Synced",
        "health": "Healthy",
        "revision": "89abcdef0123456789abcdef0123456789abcdef",
        "deviates": False,
    }
    assert second["service"] == "a", "in the order of the cells"


def test_small_words() -> None:
    ages = (0, 59, 60, 3600, 86399, 86400, 864000)
    assert [age(NOW - timedelta(seconds=one), NOW) for one in ages] == [
        "now", "now", "1 min", "1 h", "23 h", "1 d", "10 d",
    ]  # fmt: skip
    assert age(NOW + timedelta(days=1), NOW) == "now", "another machine's clock"
    images = ("r:5000/a:v1", "r/a@sha256:12", "r:5000/a", "a:v1@sha256:12")
    assert [tag(one) for one in images] == ["v1", "sha256:12", "r:5000/a", "sha256:12"]

"""The page of the services in a real Chromium: read in light and dark, by all eyes, with the keyboard, and hostile."""

from __future__ import annotations

import base64
import functools
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from fleet.releases.cell import Cell
from fleet.releases.marks import KINDS
from fleet.releases.page import page
from tests.real import chromium
from tests.real.vision import VISIONS, Colour, colour, contrast, distance
from tests.releases_cells import BIDI, HOSTILE, NOW, a_cell, every_mark, many

SCHEMES = ("light", "dark")
# Every element that has text of its own, with the colour of that and of what is behind it.
TEXTS = """
const behind = (one) => {
  for (; one; one = one.parentElement) {
    const found = getComputedStyle(one).backgroundColor;
    if (!/^rgba.*, 0\\)$/.test(found)) return found;
  }
  return 'none';
};
return [...document.querySelectorAll('body *')].filter((one) =>
  one.checkVisibility() && [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())
).map((one) => [one.className + ' ' + one.tagName + ' ' + one.textContent.slice(0, 30),
                getComputedStyle(one).color, behind(one)]);
"""
SIGNS = """
return [...document.querySelectorAll('.ok')].slice(0, 1).map((one) => getComputedStyle(one, '::before').color);
"""

OPEN = """
const one = document.querySelector(arguments[0]);
one.open = true;
one.querySelector('dl').scrollIntoView({block: 'nearest', inline: 'nearest'});
"""

Open = Callable[..., None]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    found = chromium.found(Console(stderr=True))
    with found.started(tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder that is served on loopback, and its URL: what a page asks for is asked of it."""
    folder = tmp_path_factory.mktemp("site")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

        def end_headers(self) -> None:
            self.send_header("Cache-Control", "no-store")  # each test has a page of its own
            super().end_headers()

        def send_head(self) -> Any:
            del self.headers["If-Modified-Since"]
            return super().send_head()

    handler = functools.partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def show(browser: Chrome, site: tuple[Path, str]) -> Open:
    """Show the page of some cells; `file` as one that was mailed."""
    folder, url = site

    def opened(cells: list[Cell], scheme: str = "light", *, file: bool = False) -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        html = page(cells, title="Services of acme", asked_hub=True, at=NOW)
        (folder / "services.html").write_text(html, encoding="utf-8")
        for log in ("browser", "performance"):
            browser.get_log(log)  # what was before is told once, and then no more
        browser.get(f"{(folder if file else url)}/services.html".replace("/", "file:///", file))

    return opened


def style(browser: Chrome, selector: str, name: str) -> str:
    script = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
    return str(browser.execute_script(script, selector, name))


def box(browser: Chrome, selector: str) -> dict[str, float]:
    script = "return document.querySelector(arguments[0]).getBoundingClientRect().toJSON()"
    return dict(browser.execute_script(script, selector))


def colours(browser: Chrome) -> dict[str, Colour]:
    """The colour of each kind of mark: of its ground, where it has one."""
    found = {}
    for key in KINDS:
        ground, opaque = colour(style(browser, f".legend .{key}", "backgroundColor"))
        found[key] = ground if opaque else colour(style(browser, "body", "backgroundColor"))[0]
    return found


@pytest.mark.parametrize("scheme", SCHEMES)
def test_all_text_can_be_read(browser: Chrome, show: Open, scheme: str) -> None:
    show(every_mark(), scheme)
    script = "for (const one of document.querySelectorAll('details')) { one.name = ''; one.open = true; }"
    browser.execute_script(script)
    texts = browser.execute_script(TEXTS)
    assert len(texts) > 300
    pale = {
        what: round(ratio, 2)
        for what, text, ground in texts
        if (ratio := contrast(colour(text)[0], colour(ground)[0])) < 4.5
    }
    assert pale == {}
    (sign,) = browser.execute_script(SIGNS)
    assert contrast(colour(sign)[0], colour(style(browser, "body", "backgroundColor"))[0]) >= 4.5
    dark = contrast(colour(style(browser, "body", "backgroundColor"))[0], (255, 255, 255)) > 10
    assert dark is (scheme == "dark")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("vision", VISIONS)
def test_marks_are_told_apart_by_all_eyes(
    browser: Chrome, show: Open, scheme: str, vision: str
) -> None:
    show(every_mark(), scheme)
    found = colours(browser)
    # On a dark page, a mark without a ground and the black one differ by their edge, sign and word.
    pairs = itertools.combinations([one for one in found if one != "behind"], 2)
    near = {pair: d for pair in pairs if (d := distance(*(found[one] for one in pair), vision)) < 12}  # fmt: skip
    assert near == {}
    signs = {
        browser.execute_script(
            "return getComputedStyle(document.querySelector(arguments[0]), '::before').content",
            f".{key}",
        )
        for key in KINDS
    }
    assert len(signs) == len(KINDS), "and by their signs, without any colour"


@pytest.mark.parametrize("vision", [one for one in VISIONS if one != "normal"])
def test_marks_are_told_apart_as_chromium_paints_them(
    browser: Chrome, show: Open, vision: str
) -> None:
    """By the pixels of its own emulation, at the left of each mark where there is no letter."""
    show(every_mark())
    browser.execute_cdp_cmd("Emulation.setEmulatedVisionDeficiency", {"type": vision})
    try:
        picture = base64.b64encode(browser.get_screenshot_as_png()).decode()
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedVisionDeficiency", {"type": "none"})
    corners = [box(browser, f".legend .{key}") for key in KINDS]
    points = [[one["left"] + 3, one["top"] + 4] for one in corners]
    browser.get("about:blank")  # a page of ours lets no picture in
    painted = browser.execute_async_script(
        """
        const [png, points, done] = arguments, picture = new Image();
        picture.onload = () => {
          const canvas = document.createElement('canvas');
          [canvas.width, canvas.height] = [picture.width, picture.height];
          const context = canvas.getContext('2d');
          context.drawImage(picture, 0, 0);
          done(points.map(([x, y]) => [...context.getImageData(x, y, 1, 1).data].slice(0, 3)));
        };
        picture.src = 'data:image/png;base64,' + png;
        """,
        picture,
        points,
    )
    seen = dict(zip(KINDS, map(tuple, painted), strict=True))
    pairs = itertools.combinations(seen, 2)
    near = {pair: d for pair in pairs if (d := distance(seen[pair[0]], seen[pair[1]], "normal")) < 12}  # fmt: skip
    assert near == {}


@pytest.mark.parametrize("file", [False, True])
def test_it_asks_for_nothing(browser: Chrome, show: Open, file: bool) -> None:
    show(every_mark(), file=file)
    events = [json.loads(one["message"])["message"] for one in browser.get_log("performance")]
    asked = [
        one["params"]["request"]["url"]
        for one in events
        if one["method"] == "Network.requestWillBeSent"
    ]
    assert [url.rpartition("/")[2] for url in asked] == ["services.html"]
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert browser.get_log("browser") == []


def test_what_is_hostile_is_shown_as_text(browser: Chrome, show: Open) -> None:
    names = (HOSTILE, BIDI, "x" * 5000, "</style></title></table>", "אבג")
    cells = [
        a_cell(service=one, team=one, cluster=one, version=one, by=one, source=one, behind=1,
               environment=one, images=(one,), running=(one + "!",), held=(one,), sync=one)
        for one in names
    ]  # fmt: skip
    show(cells)
    shown = [one.text for one in browser.find_elements(By.CSS_SELECTOR, "tbody .n")]
    assert shown == [HOSTILE, "evil[U+202E]gnp.exe", *names[2:]]
    assert browser.execute_script("return document.querySelectorAll('script, img').length") == 0
    assert browser.get_log("browser") == [], "no alert, no script that was held back"
    assert browser.execute_script(
        "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
    assert box(browser, "tbody tr:nth-child(3) .s")["height"] < 250, "a long name is cut"
    assert box(browser, "thead")["height"] < 400


@pytest.mark.parametrize("width", [400, 1280])
def test_two_hundred_services_on_fifty_three_clusters(
    browser: Chrome, show: Open, width: int
) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        show(many())
        assert len(browser.find_elements(By.CSS_SELECTOR, "tbody tr")) == 200
        page_, scroll = "document.documentElement", "document.querySelector('.scroll')"
        assert browser.execute_script(f"return {page_}.scrollWidth <= {page_}.clientWidth")
        browser.execute_script(f"{scroll}.scrollIntoView(); {scroll}.scrollTo(3000, 2500)")
        around = box(browser, ".scroll")
        head, first = box(browser, "thead"), box(browser, "tbody tr:nth-child(60) .s")
        assert abs(head["top"] - around["top"]) < 2, "the header stays"
        assert abs(first["left"] - around["left"]) < 2, "the services' names stay"
        named = box(browser, "thead th[scope=colgroup]:last-child span")
        assert named["left"] >= first["right"], "and so does the name of the environment"
    finally:
        # Another width is another layout of all cells: once, this took minutes.
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_script("return document.body.offsetHeight")


def test_by_keyboard_alone(browser: Chrome, show: Open) -> None:
    show(every_mark())

    def press(*keys: str) -> Any:
        for key in keys:
            browser.switch_to.active_element.send_keys(key)
        return browser.switch_to.active_element

    assert press(Keys.TAB).get_attribute("id") == "f-all"
    for key in KINDS:
        press(Keys.ARROW_RIGHT)
        rows = browser.find_elements(By.CSS_SELECTOR, "tbody .n")
        assert [one.text for one in rows if one.is_displayed()] == [key]
    press(Keys.ARROW_RIGHT)
    assert press(Keys.TAB).get_attribute("class") == "scroll", "the arrow keys scroll it"
    assert press(Keys.TAB).tag_name == "summary"
    press(Keys.ENTER)
    detail = browser.find_element(By.CSS_SELECTOR, "details[open] dl")
    assert detail.is_displayed()
    assert "registry.example.com/degraded:v2.3.0" in detail.text
    press(Keys.TAB, Keys.ENTER)
    assert len(browser.find_elements(By.CSS_SELECTOR, "details[open]")) == 1, "one at a time"


@pytest.mark.parametrize("cell", ["tr:first-child td:last-child", "tr:last-child td:last-child"])
def test_details_at_the_edges_can_be_reached(browser: Chrome, show: Open, cell: str) -> None:
    show(many(40, 20))
    browser.execute_script(OPEN, f"tbody {cell} details")
    around, detail = box(browser, ".scroll"), box(browser, f"tbody {cell} dl")
    for start, end in (("top", "bottom"), ("left", "right")):
        assert around[start] - 1 <= detail[start] <= detail[end] <= around[end] + 1


def test_on_paper_nothing_is_in_a_window_of_its_own(browser: Chrome, show: Open) -> None:
    show(every_mark())
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert style(browser, ".scroll", "overflow") == "visible"
        assert style(browser, "thead", "position") == "static"
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from infra.inspect.assets import script
from infra.inspect.report import write_report
from pipeline.dataset import Dataset
from schemas import TABLES, ConfigError


class Reader(HTMLParser):
    """Every tag with its attributes, and all text outside style and scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.style = ""
        self.scripts: list[str] = []
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "input"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            self.style += data
        elif self._open and self._open[-1] == "script":
            self.scripts.append(data)
        else:
            self.text += data


@pytest.fixture(scope="module")
def page(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("report") / "page.html"
    assert write_report(dataset, out) == out.stat().st_size
    return out.read_text("utf-8")


@pytest.fixture(scope="module")
def read(page: str) -> Reader:
    return Reader(page)


def test_the_page_asks_for_nothing_and_runs_only_its_own_script(read: Reader) -> None:
    names = {tag for tag, _ in read.tags}
    assert [attributes for tag, attributes in read.tags if tag == "script"] == [
        {"type": "application/json", "id": "data"},
        {},
    ]
    assert read.scripts[1] == script()
    assert not names & {
        "link",
        "iframe",
        "object",
        "embed",
        "form",
        "base",
        "video",
        "audio",
        "image",
        "use",
    }
    for _, attributes in read.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "srcset", "action")]
        for name in ("src", "href"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:image/jpeg;base64,", "#"))
    assert "url(" not in read.style
    assert "@import" not in read.style


def test_the_policy_allows_data_pictures_and_exactly_this_style_and_script(read: Reader) -> None:
    (policy,) = [a["content"] or "" for tag, a in read.tags if a.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(read.style.encode()).digest()).decode()
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";")}
    assert rules["default-src"] == ["'none'"]
    assert rules["img-src"] == ["data:"]
    assert rules["style-src"] == [f"'sha256-{digest}'"]
    assert rules["script-src"] == [f"'sha256-{base64.b64encode(hashlib.sha256(script().encode()).digest()).decode()}'"]
    assert "connect-src" not in rules
    assert rules["require-trusted-types-for"] == ["'script'"]
    tags = [tag for tag, _ in read.tags]
    assert tags.index("meta") < tags.index("style")


def test_hostile_names_and_captions_are_seen_as_text(page: str, read: Reader) -> None:
    shown = r"""<script>alert(1)</script>"'&{{7*7}}</style>\u202egpj.exe\x1b[2J\n.mp4"""
    assert f"A {shown} caption" in read.text
    assert f"moov atom in {shown}" in read.text
    titles = {attributes.get("title") for _, attributes in read.tags}
    assert f"/footage/{shown}" in titles
    assert "49</style" not in page
    # Our own script is as we wrote it.
    assert all(character.isprintable() or character == "\n" for character in page)
    assert (page.count("</style>"), page.count("</script>")) == (1, 2)


def test_links_lead_somewhere(read: Reader) -> None:
    anchors = {attributes["id"] for _, attributes in read.tags if "id" in attributes}
    wanted = {(attributes["href"] or "")[1:] for tag, attributes in read.tags if tag == "a"}
    assert wanted
    assert wanted <= anchors


def test_every_score_has_its_histogram(read: Reader) -> None:
    shown = {attributes["id"] for tag, attributes in read.tags if tag == "article"}
    ours = {f"score-scan-{name}" for name in ("t_bright", "t_skewed", "t_constant", "t_count", "t_rare")}
    scan = {f"score-scan-{field.name}" for field in TABLES["scores/scan"].schema if field.type in ("double", "float")}
    assert ours | scan <= shown
    assert "The same for every clip." in read.text


def test_the_page_shows_pictures_dropped_shots_errors_and_material(read: Reader) -> None:
    assert sum(tag == "img" for tag, _ in read.tags) >= 9
    for told in (
        "river.mp4",
        "too short",
        "short.webm",
        "corrupt",
        "empty.mp4",
        "no frame for 20 s",
        "hevc",
        "9:16",
    ):
        assert told in read.text


def test_what_was_selected_is_shown_with_its_reasons(selected: Dataset, tmp_path: Path) -> None:
    write_report(selected, tmp_path / "page.html")
    shown = Reader((tmp_path / "page.html").read_text("utf-8"))
    for told in ("Dropped", "just kept", "perceptual", "offset +1.50 s", "1008×560", "precision", "all reasons"):
        assert told in shown.text
    data = json.loads(shown.scripts[0])
    assert data["rules"][0]["predicate"] == "t_bright IS NULL OR t_bright >= 0.45"
    assert data["live"] is None
    assert len(data["stories"]) == data["num_clips"]


def test_two_pages_of_one_dataset_are_the_same(dataset: Dataset, page: str, tmp_path: Path) -> None:
    write_report(dataset, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text("utf-8") == page


def test_a_dataset_without_rows_has_a_page_too(empty_dataset: Dataset, tmp_path: Path) -> None:
    write_report(empty_dataset, tmp_path / "page.html")
    text = Reader((tmp_path / "page.html").read_text("utf-8")).text
    assert "There are no clips yet." in text
    assert "Nothing failed." in text


def test_a_hostile_dataset_name_is_text(maker: Callable[[], Any], tmp_path: Path) -> None:
    folder = tmp_path / "<img src=x onerror=alert(1)>"
    os.rename(maker().dataset.root, folder)
    write_report(Dataset(str(folder)), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "<img src=x" not in page
    assert html.escape(folder.name) in page


def test_a_page_is_replaced_whole_and_leaves_nothing_beside_it(empty_dataset: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "pages" / "page.html"
    out.parent.mkdir()
    out.write_text("old")
    write_report(empty_dataset, out)
    assert out.read_text("utf-8").startswith("<!doctype html>")
    assert os.listdir(out.parent) == ["page.html"]
    assert not re.search(r"\bold\b", out.read_text("utf-8")[:20])


@pytest.mark.parametrize("out", ["nowhere/page.html", "folder"])
def test_a_place_that_cannot_be_written_is_one_sentence(empty_dataset: Dataset, tmp_path: Path, out: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match=f"--report .*{out}: "):
        write_report(empty_dataset, tmp_path / out)

"""The page from a file, in a real browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.inspect.report import write_report
from pipeline.dataset import Dataset

LIMIT = "#score-scan-t_bright .limit .hit"


@pytest.fixture(scope="module")
def url(selected: Dataset, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("page") / "page.html"
    write_report(selected, out)
    return out.as_uri()


@pytest.fixture
def page(browser: Any, url: str) -> Any:
    browser.open(url)
    browser.wait("document.documentElement.classList.contains('alive')")
    yield browser
    assert browser.problems == []


def would_keep(selected: Dataset, bright: float) -> int:
    """How many clips the rules keep with another limit on brightness, by DuckDB."""
    from infra.inspect.sql import open_views

    with open_views(selected.manifest) as db:
        rows = db.execute(
            """SELECT count(*) FROM clips JOIN scores_scan USING (clip_id)
            WHERE (t_bright IS NULL OR t_bright >= $1) AND t_skewed <= 0.05 AND t_count >= 1
                AND num_frames >= 60 AND width > height""",
            [bright],
        ).fetchall()
    return int(rows[0][0])


def test_dragging_a_limit_says_what_it_would_keep(page: Any, selected: Dataset) -> None:
    assert page.run("document.querySelector('#effect').hidden")
    page.drag(page.place(LIMIT), (45, 0))
    page.wait("!document.querySelector('#effect').hidden")
    moved = float(page.run("document.querySelector('#score-scan-t_bright .limit').getAttribute('aria-valuenow')"))
    assert 0.5 < moved < 0.8
    assert page.run("document.querySelector('#kept-before').textContent") == str(would_keep(selected, 0.45))
    assert page.run("document.querySelector('#kept-after').textContent") == str(would_keep(selected, moved))
    assert would_keep(selected, moved) < would_keep(selected, 0.45)
    text = page.run("document.querySelector('tr[data-rule=\"0\"] .predicate').textContent")
    assert text == f"t_bright IS NULL OR t_bright >= {moved:g}"
    page.click("#reset")
    assert page.run("document.querySelector('#effect').hidden")
    assert "0.45" in page.run("document.querySelector('tr[data-rule=\"0\"] .predicate').textContent")


def test_keys_move_a_limit_too(page: Any, selected: Dataset) -> None:
    page.run("document.querySelector('#score-scan-t_bright .limit').focus()")
    for _ in range(3):
        page.press("PageDown")
    moved = float(page.run("document.querySelector('#score-scan-t_bright .limit').getAttribute('aria-valuenow')"))
    assert moved < 0.4
    assert page.run("document.querySelector('#kept-after').textContent") == str(would_keep(selected, moved))


def test_a_limit_can_be_tried_where_no_rule_is(page: Any) -> None:
    before = page.run("document.querySelectorAll('.limit').length")
    page.click("#score-scan-t_rare .try")
    assert page.run("document.querySelectorAll('.limit').length") == before + 1
    assert "t_rare >=" in page.run("document.querySelector('#effect').textContent")


def test_the_numbers_before_any_change_are_those_on_record(page: Any, selected: Dataset) -> None:
    from infra.inspect.sql import open_views

    shown = page.run(
        "[...document.querySelectorAll('tr[data-rule]')].map(r => [r.querySelector('th').textContent,"
        " Number(r.querySelector('.now').textContent)])"
    )
    with open_views(selected.manifest) as db:
        counts = dict(db.execute("SELECT reason, count(*) FROM selection WHERE NOT kept GROUP BY ALL").fetchall())
    assert [number for _, number in shown] == [
        counts[rule] for rule in selected.describe()["config"]["select"]["rules"]
    ]
    assert "differs" not in page.run("document.querySelector('#basis').textContent")


def test_hostile_names_and_captions_run_nothing_anywhere(page: Any, hostile: str) -> None:
    page.run("window.alert = () => { window.harmed = true; }")
    before = page.run("document.querySelectorAll('script, iframe, object, img:not([src^=\"data:image/jpeg\"])').length")
    page.run(f"document.querySelector('#query').value = {json.dumps('<script>')}")
    page.run("document.querySelector('#query').dispatchEvent(new Event('input'))")
    page.wait("document.querySelectorAll('#results figure').length")
    assert r"\u202egpj.exe" in page.run("document.querySelector('#results').textContent")
    page.click("#results figure")
    page.wait("document.querySelector('#story[open] .story')")
    told = page.run("document.querySelector('#story').textContent")
    assert r"""A <script>alert(1)</script>"'&{{7*7}}</style>\u202egpj.exe\x1b[2J""".replace(r"\x1b", r"\u001b") in told
    assert "dropped: " in told or "kept" in told
    assert len(told) < 20_000
    page.run("new Promise(done => setTimeout(done, 50))")
    assert page.run("window.harmed") is None
    after = page.run("document.querySelectorAll('script, iframe, object, img:not([src^=\"data:image/jpeg\"])').length")
    assert after == before


@pytest.mark.parametrize(
    "attack",
    [
        "document.body.innerHTML = '<b>x</b>'",
        "document.body.setAttribute('onclick', 'window.harmed = 1')",
        "document.createElement('script').textContent = 'window.harmed = 1'",
    ],
)
def test_text_cannot_become_markup_or_script_whatever_our_own_script_did(page: Any, attack: str) -> None:
    attempt = f"(() => {{ try {{ {attack}; return 'done'; }} catch {{ return 'stopped'; }} }})()"
    page.run(f"window.stopped = {attempt}")
    assert page.run("window.stopped") == "stopped"
    assert page.run("window.harmed") is None
    page.problems.clear()


def test_a_clip_is_found_by_the_beginning_of_its_id_and_tells_its_story(page: Any) -> None:
    wanted = page.run("JSON.parse(document.querySelector('#data').textContent).stories").popitem()[0]
    page.run(f"document.querySelector('#query').value = {wanted[:12]!r}")
    page.run("document.querySelector('#query').dispatchEvent(new Event('input'))")
    page.wait("document.querySelectorAll('#results figure').length === 1")
    page.click("#results figure")
    page.wait("document.querySelector('#story[open] .story')")
    told = page.run("document.querySelector('#story').textContent")
    assert wanted in told
    assert "t_skewed" in told
    page.press("Escape")


def test_an_empty_dataset_has_a_living_page(browser: Any, empty_dataset: Dataset, tmp_path: Path) -> None:
    write_report(empty_dataset, tmp_path / "page.html")
    browser.open((tmp_path / "page.html").as_uri())
    browser.wait("document.documentElement.classList.contains('alive')")
    assert browser.problems == []

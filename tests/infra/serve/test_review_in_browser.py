"""Labelling with keys, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.dataset import Dataset


@pytest.fixture
def served(start_server: Callable[..., Any], dataset: Dataset, browser: Any) -> Any:
    running = start_server(dataset)
    browser.open(running.url, height=1000)
    browser.wait("document.documentElement?.classList.contains('alive')")
    browser.click("#open-review")
    browser.wait("document.querySelector('.review-body').dataset.shown")
    return running


def shown(browser: Any) -> str:
    return str(browser.run("document.querySelector('.review-body').dataset.shown"))


def test_keys_write_labels_and_hostile_names_do_nothing(served: Any, browser: Any, dataset: Dataset) -> None:
    assert r"<img src=x onerror=alert(1)>\u2028<" in browser.run("document.querySelector('.review-body').textContent")
    assert browser.run("document.querySelectorAll('img[src=\"x\"]').length") == 0
    for key, following in (("g", "1"), ("b", "2"), ("b", "3"), ("u", "2"), ("ArrowLeft", "1"), ("ArrowRight", "2")):
        browser.press(key)
        browser.wait(f"document.querySelector('.review-body').dataset.shown === {following * 32!r}")
    assert "1 labelled" not in browser.run("document.querySelector('.review-head').textContent")
    browser.press("n")
    browser.ask("Input.insertText", text="too <b>dark</b>")
    browser.press("Enter")
    browser.press("b")
    browser.wait("document.querySelector('.review-body').dataset.shown === '3'.repeat(32)")
    browser.wait("document.querySelector('#saving').textContent === 'All labels are saved.'")
    assert browser.run("document.querySelector('#review b b')") is None
    browser.press("Escape")
    assert browser.problems == []
    assert served.stop() == 0
    rows = {row["clip_id"][0]: row for row in dataset.manifest.read("labels").to_pylist()}
    assert {k: row["good"] for k, row in rows.items()} == {"0": True, "1": False, "2": False}
    assert rows["2"]["note"] == "too <b>dark</b>"
    assert {row["reviewer"] for row in rows.values()} == {"ana"}


def test_no_text_of_any_table_becomes_markup_script_or_link(
    start_server: Callable[..., Any], hostile_dataset: Dataset, browser: Any
) -> None:
    browser.open(start_server(hostile_dataset).url, height=1000)
    browser.wait("document.documentElement?.classList.contains('alive')")
    ours = (
        'document.querySelectorAll(\'script, iframe, object, a:not([href^="#"]), img:not([src^="preview/"])\').length'
    )
    before = browser.run(ours)
    assert before == 2
    turned = r"/[\u202a-\u202e\u2066-\u2069\u001b]/.test(document.body.innerText)"
    browser.run("document.querySelector('#query').value = '</script>'")
    browser.run("document.querySelector('#query').dispatchEvent(new Event('input'))")
    browser.wait("document.querySelectorAll('#results figure').length")
    assert not browser.run(turned)
    browser.click("#results figure")
    browser.wait("document.querySelector('#story[open] .story')")
    told = browser.run("document.querySelector('#story').textContent")
    for text in (
        "dropped: </script><script>",
        "bad: </script>",
        "javascript:window.harmed=1",
        r"\u202e\u2066\u001b[2J",
    ):
        assert text in told, text
    assert len(told) < 30_000
    assert not browser.run(turned)
    browser.click("#story .close")
    browser.click("#open-review")
    browser.wait("document.querySelector('.review-body')?.dataset.shown")
    browser.wait("document.querySelector('.judged').textContent.includes('</script>')")
    assert not browser.run(turned)
    assert (browser.run("window.harmed"), browser.run(ours)) == (None, before)
    assert browser.problems == []


def test_while_a_run_holds_the_dataset_the_page_says_that_labels_wait(
    served: Any, browser: Any, dataset: Dataset
) -> None:
    with dataset.lock():
        browser.press("g")
        browser.wait("document.querySelector('#saving').textContent.includes('another run is writing')")
    browser.wait("document.querySelector('#saving').textContent === 'All labels are saved.'")
    assert dataset.manifest.count("labels") == 1

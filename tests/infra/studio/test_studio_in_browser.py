"""Asking for videos and pictures, in a real browser."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from infra.studio.form import Form

PATIENCE_S = 90.0
EVIL = '</script><script>window.harmed=1</script><img src=x onerror="window.harmed=1">{{7*7}}\u202e\u2066\x1b[2J'


class Person:
    """Somebody in front of the page."""

    def __init__(self, browser: Any) -> None:
        self.browser = browser

    def open(self, url: str, **size: Any) -> None:
        self.browser.open(url, **size)
        self.browser.wait("document.documentElement?.classList.contains('alive')")
        self.wait("document.querySelector('#line').hidden")

    def wait(self, script: str) -> None:
        """Wait until an expression is true, for as long as a model may take on a busy machine."""
        until = time.monotonic() + PATIENCE_S
        while not self.browser.run(f"!!({script})"):
            assert time.monotonic() < until, f"never true: {script}; {self.browser.problems}"
            time.sleep(0.05)

    def write(self, selector: str, text: str) -> None:
        self.browser.click(selector)
        self.browser.run(f"document.querySelector({json.dumps(selector)}).select()")
        self.browser.ask("Input.insertText", text=text)

    def choose(self, selector: str) -> None:
        self.browser.run(f"document.querySelector({json.dumps(selector)}).click()")

    def upload(self, place: str, path: Path) -> None:
        found = self.browser.ask("Runtime.evaluate", expression=f"document.querySelector('#{place}-file')")
        self.browser.ask("DOM.setFileInputFiles", files=[str(path)], objectId=found["result"]["objectId"])
        self.wait(f"document.querySelector('#{place} img')?.naturalWidth > 0")

    def make(self, results: int) -> None:
        """Send the form and wait until so many results are there."""
        self.browser.click("#make")
        self.wait(f"document.querySelectorAll('.result').length === {results}")

    def key(self, key: str, code: int, **more: Any) -> None:
        """Press a key that does something by itself."""
        self.browser.ask("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **more)
        self.browser.ask("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def text(self, selector: str) -> str:
        return str(self.browser.run(f"document.querySelector({json.dumps(selector)}).textContent"))

    def press_button(self, name: str, among: str) -> None:
        """Press the first button of that name."""
        buttons = f"[...document.querySelectorAll({json.dumps(among + ' button')})]"
        self.browser.run(f"{buttons}.find((button) => button.textContent === {json.dumps(name)}).click()")

    def problem(self, field: str) -> str:
        self.wait(f"document.querySelector('[data-field={field}] .problem')")
        return self.text(f"[data-field={field}] .problem")

    def video(self) -> dict[str, float]:
        """Play the newest result; its size and length."""
        self.browser.run("document.querySelector('.result video').play()")
        self.browser.wait("document.querySelector('.result video').duration > 0")
        script = "(({videoWidth, videoHeight, duration}) => ({videoWidth, videoHeight, duration}))"
        return dict(self.browser.run(f"{script}(document.querySelector('.result video'))"))


@pytest.fixture
def person(browser: Any) -> Person:
    return Person(browser)


def test_text_becomes_a_video_that_plays_and_is_there_after_a_restart(
    start_studio: Callable[..., Any], tmp_path: Path, person: Person
) -> None:
    served = start_studio(tmp_path / "studio")
    person.open(served.url)
    assert "Nothing has been made" in person.text("#history")
    person.write("#prompt", EVIL)
    person.write("#width", "48")
    person.write("#height", "40")
    person.write("#seconds", "0.75")
    person.write("#results", "2")
    person.make(2)
    assert person.video() == {"videoWidth": 48, "videoHeight": 40, "duration": pytest.approx(0.75)}
    for page in ("before", "after"):
        assert r"</script><script>window.harmed=1" in person.text(".set h3"), page
        assert r"{{7*7}}\u202e\u2066\u001b[2J" in person.text(".set h3"), page
        assert person.browser.run("[window.harmed, document.querySelectorAll('img[src=\"x\"]').length]") == [None, 0]
        assert "48×40 · 0.8 s" in person.text("figcaption")
        assert "48x40 is not on the model's grid" in person.text("figcaption")
        assert person.browser.problems == []
        if page == "before":
            served.stop()
            person.open(start_studio(tmp_path / "studio").url)
            person.browser.wait("document.querySelectorAll('.result').length === 2")
    seeds = "[...document.querySelectorAll('.result .seed')].map((seed) => seed.textContent)"
    assert person.browser.run(seeds) == ["seed 0", "seed 1"]


def test_an_uploaded_picture_begins_a_video_which_is_gone_on_from(
    start_studio: Callable[..., Any], tmp_path: Path, picture: Path, person: Person
) -> None:
    person.open(start_studio(tmp_path / "studio").url)
    person.choose("#mode-image")
    person.upload("reference", picture)
    assert "96×48" in person.text("#reference")
    person.write("#prompt", "it moves")
    person.write("#width", "48")
    person.write("#height", "32")
    person.write("#seconds", "0.75")
    person.make(1)
    assert "is cut at its edges (fit: crop) to 48x32" in person.text("#said")
    assert person.video()["videoWidth"] == 48
    person.choose(".result .acts button")
    person.browser.wait("document.querySelector('#reference img')?.src.includes('/made/')")
    assert person.browser.run("document.querySelector('#mode-image').checked")
    person.choose("#mode-extend")
    person.browser.run("document.querySelector('input[name=direction][value=backward]').click()")
    person.write("#width", "")
    person.write("#height", "")
    person.write("#seconds", "0.5")
    person.make(2)
    assert "Extend · backward" in person.text(".set .note")
    # 6 frames that were there, and as many before them as a latent frame holds.
    assert person.video() == {"videoWidth": 48, "videoHeight": 32, "duration": pytest.approx(10 / 8)}
    assert person.browser.problems == []


def test_a_mistake_stands_next_to_its_field_until_it_is_changed(
    start_studio: Callable[..., Any], tmp_path: Path, person: Person
) -> None:
    person.open(start_studio(tmp_path / "studio", works=False).url)
    person.browser.click("#make")
    assert person.problem("prompt") == "the prompt is empty"
    focused = "document.activeElement.id + document.activeElement.getAttribute('aria-invalid')"
    assert person.browser.run(focused) == "prompttrue"
    person.write("#prompt", "a gory beheading")
    assert not person.browser.run("document.querySelector('.problem')")
    person.browser.click("#make")
    assert person.problem("prompt").startswith("the prompt is refused by the policy: violence")
    person.write("#prompt", "a red ball")
    person.write("#width", "4096")
    person.write("#height", "4096")
    person.write("#seconds", "60")
    person.browser.click("#make")
    assert person.problem("size").startswith("this device cannot hold what is asked for")
    assert person.browser.run("document.querySelector('.problem pre').textContent.includes('TFLOP')")
    person.choose("#mode-inpaint")
    person.browser.click("#make")
    assert person.problem("reference") == "a picture or a video is missing"
    assert not person.browser.run("document.querySelector('.orders li')")


def test_a_region_is_drawn_on_the_first_picture_by_mouse_or_keys(
    start_studio: Callable[..., Any], tmp_path: Path, picture: Path, person: Person
) -> None:
    server = start_studio(tmp_path / "studio", works=False)
    person.open(server.url)
    person.choose("#mode-inpaint")
    person.upload("reference", picture)
    person.browser.wait("document.querySelector('.stage img')?.naturalWidth > 0")
    x, y = person.browser.place(".stage svg")
    scale = person.browser.run("document.querySelector('.stage svg').getBoundingClientRect().width") / 96
    person.browser.drag((x, y), (24 * scale, 12 * scale))
    drawn = "['x', 'y', 'width', 'height'].map((name) => Number(document.querySelector('#region-' + name).value))"
    assert person.browser.run(drawn) == [48, 24, 24, 12]
    person.browser.press("ArrowLeft")
    person.browser.press("ArrowUp")
    assert person.browser.run(drawn) == [46, 22, 24, 12]
    person.write("#prompt", "a ball")
    person.browser.click("#make")
    person.wait("document.querySelector('.orders li.waiting')")
    (order,) = server.server.line.waiting()
    assert (order.asked.inpaint, order.asked.out.suffix) == ("46,22,24x12", ".png")


def test_keys_are_enough_to_ask_and_to_take_back(
    start_studio: Callable[..., Any], tmp_path: Path, person: Person
) -> None:
    person.open(start_studio(tmp_path / "studio", works=False).url)
    person.browser.run("document.querySelector('#mode-text').focus()")
    person.key("ArrowRight", 39)
    assert person.browser.run("document.querySelector('#mode-image').checked")
    person.key("ArrowLeft", 37)
    person.key("Tab", 9)
    person.browser.ask("Input.insertText", text="a red ball")
    person.key("Enter", 13, modifiers=2)
    person.wait("document.querySelector('.orders li.waiting')")
    assert "next in the line" in person.text(".orders")
    person.browser.run("document.querySelector('.orders button').focus()")
    person.key("Enter", 13, text="\r")
    person.browser.wait("!document.querySelector('.orders li')")
    assert person.browser.problems == []


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A folder with a set of two pictures, and one made from EVIL by somebody who wrote the record by hand."""
    folder = tmp_path / "studio"
    folder.mkdir()
    record = {"width": 64, "height": 32, "num_frames": 1, "frame_rate": [8, 1], "seed": 5, EVIL[:40]: EVIL}
    form = {**Form(mode="text", prompt="a ball", kind="picture").model_dump(), "seed": str(2**62)}
    for number, (of, prompt) in enumerate([(0, "a ball"), (0, "a ball"), (2, EVIL)]):
        name, set_id = (f"20260101-00000{k}-{k:08x}" for k in (number, of))
        values = {"id": name, "set_id": set_id, "number": number, "suffix": ".png", "notes": [EVIL]}
        about = {**values, "form": form, "record": {**record, "prompt": prompt, "seed": 5 + number}}
        (folder / f"{name}.json").write_text(json.dumps(about))
        Image.new("RGB", (64, 32), (40 * number, 90, 120)).save(folder / f"{name}.png")
    return folder


def test_results_are_compared_varied_and_told_of(
    start_studio: Callable[..., Any], filled: Path, person: Person
) -> None:
    person.open(start_studio(filled, works=False).url)
    person.browser.wait("document.querySelectorAll('.result').length === 3")
    assert person.browser.run(
        "[...document.querySelectorAll('.set')].map((set) => set.querySelectorAll('.result').length)"
    ) == [1, 2]
    for k in (0, 1):
        person.browser.run(f"document.querySelectorAll('.result [aria-pressed]')[{k}].click()")
    person.choose("#tray .chief")
    assert person.browser.run("document.querySelectorAll('#compare[open] figure img').length") == 2
    person.key("Escape", 27)
    person.browser.wait("!document.querySelector('#compare[open]')")
    person.press_button("Record", ".result")
    assert "</script><script>window.harmed=1" in person.text("#details[open] table")
    person.key("Escape", 27)
    person.press_button("Vary", ".set:last-child")
    person.browser.wait("document.querySelector('#prompt').value === 'a ball'")
    values = (
        "['seed', 'results', 'variation', 'variation-seed'].map((name) => document.querySelector('#' + name).value)"
    )
    assert person.browser.run(values) == [str(2**62), "4", "0.3", "1"]
    assert person.browser.run("[window.harmed, document.querySelectorAll('img[src=\"x\"], script').length]") == [
        None,
        2,
    ]
    assert person.browser.problems == []


@pytest.mark.parametrize("width", [1400, 500])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_wider_than_the_window(
    start_studio: Callable[..., Any], filled: Path, person: Person, width: int, dark: bool
) -> None:
    person.open(start_studio(filled, works=False).url, width=width, dark=dark)
    for mode in ("text", "image", "extend", "connect", "loop", "edit", "inpaint"):
        person.choose(f"#mode-{mode}")
        assert person.browser.run("document.documentElement.scrollWidth <= window.innerWidth"), mode
        edge = "document.querySelector('#form').getBoundingClientRect().right + 1"
        outside = f"[...document.querySelectorAll('#form *')].filter((e) => e.getBoundingClientRect().right > {edge})"
        assert person.browser.run(f"{outside}.length") == 0, mode


def test_what_is_being_made_can_be_cancelled(
    start_studio: Callable[..., Any], tmp_path: Path, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = start_studio(tmp_path / "studio")
    line = served.server.line
    tell = line.show

    def show_and_wait(progress: Any) -> None:
        tell(progress)
        until = time.monotonic() + PATIENCE_S
        while any(one["state"] == "running" for one in line.to_json()["orders"]) and time.monotonic() < until:
            time.sleep(0.02)

    monkeypatch.setattr(line, "show", show_and_wait)
    person.open(served.url)
    person.write("#prompt", "nobody wants it")
    person.browser.click("#make")
    person.wait("document.querySelector('.orders .running progress')?.value > 0")
    person.press_button("Cancel", ".orders")
    person.wait("document.querySelector('#line').hidden")
    assert [one["state"] for one in line.to_json()["orders"]] == ["cancelled"]
    assert "Nothing has been made" in person.text("#history")
    assert len(served.server.history) == 0
    assert person.browser.problems == []

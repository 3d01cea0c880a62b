"""Asking for videos and pictures, in a real browser."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from infra.sample_config import SampleConfig
from infra.studio.form import MAX_SHOTS, Form

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

    def write_on(self, selector: str, text: str) -> None:
        """Write behind what is there."""
        self.browser.run(f"document.querySelector({json.dumps(selector)}).focus()")
        self.browser.run("document.activeElement.setSelectionRange(99999, 99999)")
        self.browser.ask("Input.insertText", text=text)

    def value(self, selector: str) -> str:
        return str(self.browser.run(f"document.querySelector({json.dumps(selector)}).value"))

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
        place = f'[data-field="{field}"] .problem'
        self.wait(f"document.querySelector('{place}')")
        return self.text(place)

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


def test_a_prompt_is_written_out_changed_made_and_taken_back(
    start_studio: Callable[..., Any], talking_config: SampleConfig, talker: Any, tmp_path: Path, person: Person
) -> None:
    served = start_studio(tmp_path / "studio", config=talking_config)
    person.open(served.url)
    person.write("#prompt", "a red ball")
    person.browser.click("#write-out")
    person.wait("document.querySelector('#prompt').value.endsWith('The camera stands still.')")
    assert "Written out from “a red ball”." in person.text("#prompt-note")
    assert person.browser.run("document.querySelector('#write-out').hidden")
    person.write_on("#prompt", " It is wet.")
    person.write("#width", "32")
    person.write("#height", "32")
    person.browser.run("document.querySelector('input[name=kind][value=picture]').click()")
    person.make(1)
    (entry,) = served.server.history.newest(1)
    assert entry.record["prompt"] == "a red ball, over wet sand at dawn. The camera stands still. It is wet."
    assert entry.record["prompt_as_written"] == "a red ball"
    person.write("#prompt", "another")
    person.press_button("My own words", "#form")
    assert person.value("#prompt") == "a red ball"
    person.press_button("Fill in again", ".set")
    person.browser.wait("document.querySelector('#prompt').value.endsWith('It is wet.')")
    person.press_button("My own words", "#form")
    assert person.value("#prompt") == "a red ball"
    assert person.text("#prompt-note") == ""
    assert not person.browser.run("document.querySelector('#write-out').hidden")
    assert person.browser.problems == []


def test_a_prompt_stays_where_it_is_not_written_out_and_the_page_says_why(
    start_studio: Callable[..., Any], talking_config: SampleConfig, talker: Any, tmp_path: Path, person: Person
) -> None:
    person.open(start_studio(tmp_path / "studio", works=False, config=talking_config).url)
    talker.answers |= {"a blue ball": "A ball.", "a lone ball": "A lone ball in an explicit porn scene."}
    for prompt, why in (("a blue ball", "the longer one lacked blue."), ("a lone ball", "the longer one is refused")):
        person.write("#prompt", prompt)
        person.browser.click("#write-out")
        person.wait("document.querySelector('#prompt-note').textContent")
        assert person.text("#prompt-note").startswith(f"It stays as it is: {why}")
        assert person.value("#prompt") == prompt
    person.write("#prompt", "a gory beheading")
    assert person.text("#prompt-note") == ""
    person.browser.click("#write-out")
    assert person.problem("prompt").startswith("the prompt is refused by the policy: violence")
    talker.may_answer.clear()
    person.write("#prompt", "a slow ball")
    person.browser.click("#write-out")
    assert person.text("#write-out") == "Writing…"
    person.write("#prompt", "a fast ball")
    talker.may_answer.set()
    person.wait("document.querySelector('#prompt-note').textContent")
    assert person.text("#prompt-note").startswith("It was changed meanwhile")
    assert person.value("#prompt") == "a fast ball"
    talker.answers["an evil ball"] = f"An evil ball. {EVIL}"
    person.write("#prompt", "an evil ball")
    person.browser.click("#write-out")
    person.wait("document.querySelector('#prompt').value.includes('</script><script>')")
    person.press_button("My own words", "#form")
    person.browser.click("#make")
    person.wait("document.querySelector('.orders li.waiting')")
    assert person.browser.run("[window.harmed, document.querySelectorAll('img[src=\"x\"], script').length]") == [
        None,
        2,
    ]
    refused = [problem for problem in person.browser.problems if "status of 422" not in problem]
    assert refused == []


def test_without_a_model_the_page_does_not_offer_to_write_out(
    start_studio: Callable[..., Any], tmp_path: Path, person: Person
) -> None:
    person.open(start_studio(tmp_path / "studio", works=False).url)
    assert person.browser.run("document.querySelector('#write-out')") is None


def test_shots_are_added_moved_removed_and_made_one_after_the_other(
    start_studio: Callable[..., Any], tmp_path: Path, person: Person
) -> None:
    served = start_studio(tmp_path / "studio")
    person.open(served.url)
    person.choose("#mode-shots")
    assert person.text("#prompt-label") == "Subject"
    rows = "[...document.querySelectorAll('.shot textarea')].map((one) => one.value)"
    person.write(".shot:nth-child(1) textarea", "it rolls")
    person.write(".shot:nth-child(1) .short", "0,75")
    person.write(".shot:nth-child(2) textarea", "it stands")
    person.write(".shot:nth-child(2) .short", "0.5")
    person.browser.click("#add-shot")
    person.browser.ask("Input.insertText", text="it falls")
    assert person.browser.run(rows) == ["it rolls", "it stands", "it falls"]
    person.key("ArrowUp", 38, modifiers=1)
    assert person.browser.run(rows) == ["it rolls", "it falls", "it stands"]
    assert person.browser.run("document.activeElement.value") == "it falls"
    person.browser.click(".shot:nth-child(2) .tools button:nth-child(1)")
    assert person.browser.run(rows) == ["it falls", "it rolls", "it stands"]
    # What cannot go further up leaves the focus to what goes down.
    assert person.browser.run("document.activeElement.getAttribute('aria-label')") == "Move shot 1 down"
    person.browser.click(".shot:nth-child(1) .tools button:nth-child(3)")
    assert person.browser.run(rows) == ["it rolls", "it stands"]
    assert person.browser.run("document.querySelectorAll('.shot')[0].contains(document.activeElement)")
    assert person.browser.run("document.querySelector('.shot .check').hidden")
    assert person.text("#shots-length") == "together 1.3 s"
    person.browser.click(".shot:nth-child(2) input[type=checkbox]")
    person.write("#width", "32")
    person.write("#height", "32")
    person.make(1)
    (entry,) = served.server.history.newest(1)
    assert entry.record["shots"] == [
        {"prompt": "it rolls", "num_frames": 6, "is_cut": False},
        {"prompt": "it stands", "num_frames": 4, "is_cut": True},
    ]
    assert person.text(".set h3") == "it rolls / it stands"
    assert person.text(".set .note").startswith("Several shots · 2 shots")
    assert person.video() == {"videoWidth": 32, "videoHeight": 32, "duration": pytest.approx(10 / 8)}
    for k in (1, 2):
        person.write(f".shot:nth-child({k}) textarea", "")
    person.browser.click(".shot:nth-child(1) .tools button:nth-child(3)")
    person.browser.run("document.querySelector('.shot .tools button:nth-child(3)').click()")
    assert person.browser.run(rows) == [""]
    person.press_button("Fill in again", ".set")
    person.browser.wait("document.querySelectorAll('.shot').length === 2")
    assert person.browser.run(rows) == ["it rolls", "it stands"]
    others = "[...document.querySelectorAll('.shot .short, .shot input[type=checkbox]')]"
    assert person.browser.run(f"{others}.map((one) => one.checked || one.value)") == ["0.75", "on", "0.5", True]
    assert person.browser.problems == []


def test_a_mistake_of_a_shot_stands_beside_its_row_and_wanders_with_it(
    start_studio: Callable[..., Any], tmp_path: Path, person: Person
) -> None:
    served = start_studio(tmp_path / "studio", works=False)
    person.open(served.url)
    person.choose("#mode-shots")
    person.write(".shot:nth-child(1) textarea", "it rolls")
    person.browser.click("#make")
    assert person.problem("shots.1.prompt") == "the prompt is empty"
    person.browser.click(".shot:nth-child(2) .tools button:nth-child(1)")
    assert person.text(".shot:nth-child(1) .problem") == "the prompt is empty"
    person.write(".shot:nth-child(1) textarea", "it stands")
    assert not person.browser.run("document.querySelector('.problem')")
    for seconds, sentence in (("", "seconds: input should be a valid number"), ("61", "seconds lie in 0 to 60")):
        person.write(".shot:nth-child(2) .short", seconds)
        person.browser.click("#make")
        assert person.problem("shots.1.seconds").startswith(sentence)
        assert person.browser.run("document.activeElement.getAttribute('aria-label')") == "Shot 2: seconds"
        invalid = "[...document.querySelectorAll('[aria-invalid]')].map((one) => one.getAttribute('aria-label'))"
        assert person.browser.run(invalid) == ["Shot 2: seconds"]
    for k in (1, 2):
        person.write(f".shot:nth-child({k}) .short", "40")
    person.browser.click("#make")
    person.wait("document.querySelector('[data-field=shots] > .problem')")
    assert "max_seconds" in person.text("[data-field=shots] > .problem")
    person.write(".shot:nth-child(2) .short", "1")
    assert not person.browser.run("document.querySelector('.problem')")
    for _ in range(MAX_SHOTS):
        person.browser.run("document.querySelector('#add-shot').click()")
    assert person.browser.run("document.querySelectorAll('.shot').length") == MAX_SHOTS
    assert person.browser.run("document.querySelector('#add-shot').disabled")
    person.write("#prompt", "a ball")
    for k in range(1, MAX_SHOTS + 1):
        person.browser.run(f"document.querySelector('.shot:nth-child({k}) .short').value = '0.25'")
    person.browser.click("#make")
    person.wait("document.querySelector('.orders li.waiting')")
    assert person.text(".orders .name") == "a ball"
    (order,) = served.server.line.waiting()
    assert len(order.asked.shots) == MAX_SHOTS
    person.press_button("Cancel", ".orders")
    person.wait("document.querySelector('#line').hidden")


def test_the_prompts_of_shots_are_written_out_each_under_the_subject(
    start_studio: Callable[..., Any], talking_config: SampleConfig, talker: Any, tmp_path: Path, person: Person
) -> None:
    served = start_studio(tmp_path / "studio", works=False, config=talking_config)
    person.open(served.url)
    person.choose("#mode-shots")
    person.write("#prompt", "a ball")
    person.write(".shot:nth-child(1) textarea", "it rolls")
    person.write(".shot:nth-child(2) textarea", "a gory beheading")
    person.browser.click("#write-out")
    assert person.problem("shots.1.prompt").startswith("the prompt is refused")
    talker.answers["it stands"] = "It stands."
    person.write(".shot:nth-child(2) textarea", "it stands")
    person.browser.click("#write-out")
    person.wait("document.querySelector('.shot textarea').value.startsWith('a ball it rolls, over wet sand')")
    assert "Written out from “it rolls”; the subject is not put before it again." in person.text(
        ".shot:nth-child(1) .written"
    )
    assert person.text(".shot:nth-child(2) .written") == "It stays as it is: the longer one lacked ball."
    assert person.value("#prompt") == "a ball"
    del talker.answers["it stands"]
    # What is written out already is not asked again.
    person.browser.click("#write-out")
    person.wait("document.querySelector('#write-out').hidden")
    assert talker.asked == ["a ball it rolls", "a ball it stands", "a ball it stands"]
    person.press_button("My own words", ".shot:nth-child(2)")
    person.browser.click("#make")
    person.wait("document.querySelector('.orders li.waiting')")
    (order,) = served.server.line.waiting()
    assert order.asked.prompts == ("a ball it rolls", "a ball it stands")
    longer = "a ball it rolls, over wet sand at dawn. The camera stands still."
    assert order.longer == (longer, "a ball it stands")


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
        if prompt == EVIL:
            about["record"] |= {"prompt": "", "shots": [None, {"prompt": EVIL}]}
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
    assert person.text(".set h3").startswith(" / </script><script>window.harmed=1")
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
    for mode in ("text", "image", "extend", "connect", "loop", "shots", "edit", "inpaint"):
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

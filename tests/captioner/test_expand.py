from __future__ import annotations

from collections.abc import Iterator

import pytest

from captioner.engine import CaptionReply, CaptionRequest, Feed
from captioner.expand import expand_prompt, lost_words


class Says:
    """An engine that says what it is told, to show what is made of it."""

    model_id = digest = "says"

    def __init__(self, text: str, finish: str = "stop") -> None:
        self.text, self.finish = text, finish
        self.asked: list[CaptionRequest] = []

    def setup(self) -> None: ...

    def close(self) -> None: ...

    def generate(self, feed: Feed) -> Iterator[CaptionReply]:
        while (request := feed.take(wait=True)) is not None:
            self.asked.append(request)
            yield CaptionReply(request_id=request.request_id, text=self.text, finish=self.finish)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("request_", "answer", "lost"),
    [
        pytest.param("a red fox runs", "A fox with red fur is running.", (), id="another form of the verb"),
        pytest.param("3 cats", "Three cats sit.", (), id="a number as a word"),
        pytest.param("two dogs and a blue car", "Two dogs beside a car.", ("blue",), id="a colour"),
        pytest.param("two dogs", "Three dogs.", ("two",), id="a number"),
        pytest.param("Anna walks in Paris", "A woman walks in Paris.", ("anna",), id="a name"),
        pytest.param("make a video of the sea", "Waves of the sea.", (), id="words that name nothing"),
        pytest.param("berries", "A red berry.", (), id="a plural"),
    ],
)
def test_what_a_request_names_is_looked_for(request_: str, answer: str, lost: tuple[str, ...]) -> None:
    assert lost_words(request_, answer) == lost


def test_an_answer_that_keeps_all_is_taken() -> None:
    engine = Says("A red fox runs over snow at dawn. The camera pans left.")
    found = expand_prompt("red fox\nrunning", engine, seed=7)
    assert (found.text, found.is_expanded) == (engine.text, True)
    assert (engine.asked[0].seed, engine.asked[0].temperature) == (7, 0.0)
    assert "Request: red fox running" in engine.asked[0].prompt


@pytest.mark.parametrize(
    "engine",
    [Says("A grey fox runs."), Says("A red fox runs", "length"), Says("", "error"), Says("  ")],
    ids=["a colour is lost", "no end", "no answer", "nothing"],
)
def test_else_the_prompt_stays_as_it_is(engine: Says) -> None:
    found = expand_prompt("a red fox runs", engine)
    assert (found.text, found.is_expanded) == ("a red fox runs", False)

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import pytest

from infra.inspect.clip_story import ClipStory, story_text, tell
from infra.inspect.sql import open_views
from pipeline.dataset import Dataset
from schemas import ConfigError


@pytest.fixture
def db(dataset: Dataset) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_views(dataset.manifest) as opened:
        yield opened


def clip_of(db: duckdb.DuckDBPyConnection, uri: str) -> str:
    sql = "SELECT clip_id FROM clips JOIN videos USING (video_id) WHERE uri = ? ORDER BY start_s LIMIT 1"
    return str(db.execute(sql, [uri]).fetchall()[0][0])


@pytest.mark.parametrize("digits", [32, 31, 8])
def test_a_clip_is_found_by_the_beginning_of_its_id(
    db: duckdb.DuckDBPyConnection, dataset: Dataset, digits: int
) -> None:
    wanted = clip_of(db, "/footage/river.mp4")
    assert tell(db, dataset, wanted[:digits].upper()).clip["clip_id"] == wanted


def test_the_story_holds_everything_from_source_to_previews(db: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    story = tell(db, dataset, clip_of(db, "/footage/portrait.mov"))
    assert [file["uri"] for file in story.files] == ["/footage/portrait copy.mov", "/footage/portrait.mov"]
    assert (story.video["codec"], story.shot["detector"]) == ("hevc", "default")
    assert story.previews == [f"{story.clip['clip_id']}.{k}.jpg" for k in range(3)]
    assert {"t_bright", "t_count"} <= {score.name for score in story.scores}
    text = story_text(story)
    for told in (
        "portrait copy.mov",
        "frames [0, 250)",
        "PTS [0, 128000) of 1/12800 s",
        "10.000 s",
        "edge -> edge",
    ):
        assert told in text
    assert json.loads(json.dumps(story.to_json()))["clip"]["clip_id"] == story.clip["clip_id"]


def of_selected(selected: Dataset, table: str) -> ClipStory:
    """The story of the first clip of a table."""
    with open_views(selected.manifest) as db:
        clip = db.execute(f"SELECT clip_id FROM {table} ORDER BY clip_id LIMIT 1").fetchall()[0][0]
        return tell(db, selected, clip)


def test_a_duplicate_names_the_clip_that_stays_and_that_one_names_it(selected: Dataset) -> None:
    copy = of_selected(selected, "duplicates")
    told = f"duplicate of {copy.duplicate['duplicate_of']} (perceptual, similarity 0.97, offset +1.50 s)"
    assert told in story_text(copy)
    with open_views(selected.manifest) as db:
        stays = tell(db, selected, copy.duplicate["duplicate_of"])
    assert f"stays for {copy.clip['clip_id']} (perceptual" in story_text(stays)
    assert stays.duplicate == {}


def test_a_verdict_has_its_reason_value_and_limit(maker: Callable[[], Any]) -> None:
    made = maker()
    made.video("/footage/a.mp4", [100, 100])
    kept, lost = made.rows["clips"]
    made.add("selection", clip_id=kept["clip_id"], video_id="v", kept=True)
    row = {"kept": False, "reason": "blurred", "score_value": 0.125, "threshold": 0.25}
    made.add("selection", clip_id=lost["clip_id"], video_id="v", **row)
    made.add("labels", clip_id=lost["clip_id"], reviewer="ben", good=False, note="soft \u202e")
    made.add("labels", clip_id=lost["clip_id"], reviewer="ana", good=True)
    dataset = made.write()
    with open_views(dataset.manifest) as db:
        stories = [tell(db, dataset, clip["clip_id"]) for clip in (kept, lost)]
    assert "selection kept" in story_text(stories[0])
    text = story_text(stories[1])
    assert "selection dropped: blurred, value 0.125, limit 0.25" in text
    assert "label     good, says ana\nlabel     bad, says ben: soft \\u202e" in text
    assert [label["reviewer"] for label in json.loads(json.dumps(stories[1].to_json()))["labels"]] == ["ana", "ben"]


def test_a_bucket_and_a_caption_without_end(selected: Dataset) -> None:
    assert "1008x560, " in story_text(of_selected(selected, "buckets"))
    captioned = of_selected(selected, "captions")
    assert len(captioned.captions[0]["text"]) > 10**6
    assert "--json has all" in story_text(captioned)
    assert len(story_text(captioned)) < 10_000


def test_ranks_say_where_a_value_lies(db: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    highest = db.execute("SELECT clip_id FROM scores_scan ORDER BY t_skewed DESC LIMIT 1").fetchall()[0][0]
    ranks = {score.name: score.rank for score in tell(db, dataset, highest).scores}
    assert (ranks["t_skewed"], ranks["t_constant"]) == (0.75, 0.0)


def test_a_hostile_source_cannot_move_the_terminal(
    db: duckdb.DuckDBPyConnection, dataset: Dataset, hostile: str
) -> None:
    story = tell(db, dataset, clip_of(db, f"/footage/{hostile}"))
    text = story_text(story)
    assert all(character.isprintable() or character == "\n" for character in text)
    assert r"\u202egpj.exe\x1b[2J\n.mp4" in text
    assert story.captions[0]["text"] == f"A {hostile} caption"
    assert story.previews == []


def test_what_names_no_clip_is_one_sentence_with_the_near_miss(db: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    wanted = clip_of(db, "/footage/river.mp4")
    with pytest.raises(ConfigError, match=f"did you mean {wanted}"):
        tell(db, dataset, wanted[:10] + "x")
    for nonsense in ("", "%", "' OR 1=1 --", "zz"):
        with pytest.raises(ConfigError, match="no clip"):
            tell(db, dataset, nonsense)


def test_the_beginning_of_several_ids_names_them(empty_dataset: Dataset) -> None:
    empty_dataset.manifest.append("clips", [{"clip_id": f"ab{k}", "video_id": "v"} for k in range(9)])
    told = "5 or more clips begin so: ab0, ab1, ab2, ab3, ab4, …"
    with open_views(empty_dataset.manifest) as db, pytest.raises(ConfigError, match=told):
        tell(db, empty_dataset, "ab")

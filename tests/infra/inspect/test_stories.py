from __future__ import annotations

import json

from infra.inspect.sql import open_views
from infra.inspect.stories import MAX_TEXT, tell_many
from infra.web.policy import embedded
from pipeline.dataset import Dataset


def test_a_story_has_every_tables_rows_of_its_clip(selected: Dataset) -> None:
    with open_views(selected.manifest) as db:
        ids = [row[0] for row in db.execute("SELECT clip_id FROM clips ORDER BY clip_id").fetchall()]
        stories = tell_many(db, [*ids, "f" * 32])
    assert set(stories) == set(ids)
    stays, goes = stories[ids[0]], stories[ids[1]]
    assert goes["duplicate"]["duplicate_of"] == ids[0]
    assert [row["clip_id"] for row in stays["stays_for"]] == [ids[1]]
    assert stays["labels"][0]["good"] is True
    for clip_id, story in stories.items():
        assert story["clip"]["clip_id"] == clip_id
        assert story["video"]["video_id"] == story["clip"]["video_id"]
        assert {"t_bright", "t_count"} <= set(story["scores"]["scan"])
        (chosen,) = story["tables"]["selection"]
        assert chosen["kept"] is ("buckets" in story["tables"])


def test_a_text_of_a_megabyte_is_cut(selected: Dataset) -> None:
    with open_views(selected.manifest) as db:
        ids = [row[0] for row in db.execute("SELECT clip_id FROM captions").fetchall()]
        (story,) = tell_many(db, ids).values()
    assert len(story["tables"]["captions"][0]["text"]) == MAX_TEXT


def test_data_in_a_page_can_end_no_element_and_is_read_back_the_same() -> None:
    hostile = {"</script><script>alert(1)</script>": "<!-- & \u2028\u2029 \"' \\u003c"}
    text = str(embedded(hostile))
    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text) == hostile

from __future__ import annotations

import pytest

from pipeline.buckets import BucketConfig, check_budget
from schemas import ConfigError
from schemas.config import load_config


@pytest.mark.parametrize(
    ("override", "max_clip_s"),
    [
        pytest.param("token_budget=75600", 60.0, id="a minute under the default budget"),
        pytest.param("token_budget=20000", 10.0, id="ten seconds under a small one"),
    ],
)
def test_a_budget_too_small_for_the_longest_clip_is_refused_before_anything_starts(
    override: str, max_clip_s: float
) -> None:
    config = load_config(BucketConfig, None, [override])
    with pytest.raises(ConfigError, match=rf"bucket.token_budget: {config.token_budget} .*max_clip_s = {max_clip_s:g}"):
        check_budget(config, max_clip_s)


@pytest.mark.parametrize(
    ("token_budget", "max_clip_s"), [(75_600, 10.0), (75_600, 2.0), (480_000, 60.0), (16_384, 1 / 30)]
)
def test_a_budget_that_holds_the_longest_clip_is_taken(token_budget: int, max_clip_s: float) -> None:
    check_budget(BucketConfig(token_budget=token_budget), max_clip_s)


def test_a_patch_over_time_is_refused_as_it_leaves_no_place_for_pictures() -> None:
    with pytest.raises(ConfigError, match="patch must be 1 in time"):
        load_config(BucketConfig, None, ["patch=[2, 2, 2]"])


def test_the_smallest_side_is_only_a_check_and_makes_no_bucket_stale() -> None:
    assert BucketConfig(min_side=64).output_digest() == BucketConfig().output_digest()
    assert BucketConfig(token_budget=1000).output_digest() != BucketConfig().output_digest()

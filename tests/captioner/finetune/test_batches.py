from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from captioner.finetune.batches import BatchPlan, shares

SHAPES = st.lists(st.sampled_from([(4, 140, 252), (4, 252, 140), (1, 56, 56)]), min_size=1, max_size=60)


@given(SHAPES, st.integers(1, 9), st.integers(0, 3))
def test_an_epoch_holds_every_clip_once_and_a_batch_one_shape(
    shapes: list[tuple[int, int, int]], size: int, epoch: int
) -> None:
    plan = BatchPlan(shapes, size, seed=1)
    batches = [plan[epoch * plan.steps_per_epoch + place] for place in range(plan.steps_per_epoch)]
    assert sorted(index for batch in batches for index in batch.indexes) == list(range(len(shapes)))
    assert all(len({shapes[index] for index in batch.indexes}) == 1 for batch in batches)
    assert {batch.epoch for batch in batches} == {epoch}


def test_a_step_is_the_same_however_the_plan_came_there() -> None:
    shapes = [(4, 28, 28)] * 23
    forwards, straight = BatchPlan(shapes, 4, 7), BatchPlan(shapes, 4, 7)
    seen = [forwards[step] for step in range(20)]
    assert straight[17] == seen[17]
    assert straight[3] == seen[3]
    assert seen[0].indexes != seen[plan_length(forwards)].indexes


def plan_length(plan: BatchPlan) -> int:
    return plan.steps_per_epoch


@given(st.integers(1, 40), st.integers(1, 4), st.integers(1, 8))
def test_ranks_take_equal_shares_and_every_clip_counts_once(num: int, ranks: int, micro: int) -> None:
    dealt = shares(range(num), ranks, micro)
    assert len({tuple(len(batch) for batch in share) for share in dealt}) == 1
    counted = Counter(index for share in dealt for batch in share for index, counts in batch if counts)
    assert counted == Counter(range(num))
    assert max(len(batch) for share in dealt for batch in share) <= micro

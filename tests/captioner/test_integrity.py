from __future__ import annotations

import itertools

import numpy as np
import pytest

from captioner.integrity import permutation_test


def scores(num_clips: int, strength: float, seed: int = 0) -> np.ndarray:
    """As CLIP gives them: around 0.2, some captions and some clips higher with everything, own ones a little more."""
    rng = np.random.default_rng(seed)
    by_caption, by_clip = rng.normal(0, 0.05, (2, num_clips))
    noise = rng.normal(0, 0.02, (num_clips, num_clips))
    return 0.2 + by_caption[:, None] + by_clip[None, :] + noise + strength * np.eye(num_clips)


@pytest.mark.parametrize("num_clips", [8, 20, 300])
def test_captions_on_their_own_clips_pass(num_clips: int) -> None:
    found = permutation_test(scores(num_clips, 0.06))
    assert found.verdict == "aligned"
    assert found.p_value is not None
    assert found.p_value <= 0.01
    assert found.difference == pytest.approx(0.06, abs=0.03)
    assert found.num_clips == num_clips
    assert f"{num_clips} clips" in found.why


@pytest.mark.parametrize("num_clips", [20, 300])
def test_the_same_captions_shuffled_fail(num_clips: int) -> None:
    aligned = scores(num_clips, 0.06)
    shifted = permutation_test(np.roll(aligned, 1, axis=0))
    assert shifted.verdict == "not aligned"
    assert shifted.p_value is not None
    assert shifted.p_value > 0.3
    assert shifted.difference is not None
    assert shifted.difference < 0.03


def test_some_captions_on_the_wrong_clips_are_seen_in_the_difference() -> None:
    aligned = scores(100, 0.06)
    half = np.concatenate([np.arange(50), np.roll(np.arange(50, 100), 1)])
    whole, part = permutation_test(aligned), permutation_test(aligned[half])
    assert whole.difference is not None
    assert part.difference is not None
    assert part.difference == pytest.approx(whole.difference / 2, abs=0.01)


def test_without_alignment_it_rarely_passes() -> None:
    passed = sum(
        permutation_test(scores(12, 0.0, seed), num_permutations=199).verdict == "aligned" for seed in range(300)
    )
    # 1 in 100 by chance.
    assert passed <= 10


def test_captions_that_fit_everything_do_not_hide_the_others() -> None:
    matrix = scores(20, 0.06)
    matrix[3] += 100
    matrix[:, 5] -= 100
    assert permutation_test(matrix).verdict == "aligned"
    assert permutation_test(np.roll(matrix, 1, axis=0)).verdict == "not aligned"


def test_few_shuffles_agree_with_all_of_them() -> None:
    matrix = scores(8, 0.015, seed=3)
    sums = [sum(matrix[k, p[k]] for k in range(8)) for p in itertools.permutations(range(8))]
    exact = np.mean([total >= sums[0] - 1e-12 for total in sums])
    found = permutation_test(matrix, num_permutations=19_999)
    assert 0.001 < exact < 0.5
    assert found.p_value == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize("num_clips", [0, 1, 7])
def test_with_too_few_clips_it_cannot_tell(num_clips: int) -> None:
    found = permutation_test(scores(num_clips, 10.0))
    assert found.verdict == "cannot tell"
    assert found.p_value is found.difference is None
    assert f"{num_clips} clips are too few" in found.why


def test_where_nothing_tells_clips_apart_it_cannot_tell() -> None:
    for matrix in (np.zeros((20, 20)), np.full((20, 20), 0.3), np.add.outer(np.arange(20), np.arange(20) / 7)):
        found = permutation_test(matrix)
        assert found.verdict == "cannot tell"
        assert "equally well" in found.why


def test_one_seed_gives_one_answer() -> None:
    matrix = scores(10, 0.01)
    assert permutation_test(matrix, seed=4) == permutation_test(matrix, seed=4)
    assert len({permutation_test(matrix, seed=seed, num_permutations=99).p_value for seed in range(6)}) > 1


def test_what_is_no_matrix_of_scores_is_refused() -> None:
    for wrong, why in ((np.zeros((8, 9)), "N, N"), (np.zeros(8), "N, N"), (np.full((8, 8), np.nan), "finite")):
        with pytest.raises(ValueError, match=why):
            permutation_test(wrong)
    with pytest.raises(ValueError, match="num_permutations=20 "):
        permutation_test(scores(8, 1), num_permutations=20)

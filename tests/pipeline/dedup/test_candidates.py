from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from pipeline.dedup.candidates import MIRRORED, STRAIGHT, find_candidates
from pipeline.dedup.comparison import compare
from pipeline.dedup.fingerprint import INTERVAL_S, LAYOUT, MIRROR, NUM_INSTANT
from pipeline.dedup.perceptual import PerceptualConfig, accepted_pairs
from pipeline.dedup.store import Fingerprints, load_fingerprints
from schemas import TABLES

Floats = npt.NDArray[np.float64]

SPREAD = np.array([60 / max(np.hypot(v, u), 1) / (1 if plane == 0 else 3) for plane, v, u in LAYOUT])
IS_ODD = MIRROR < 0


def shown(seed: int) -> Floats:
    """Coefficients of the twelve instants of a clip, (12, 90): a picture that drifts."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 0.05, (12, len(LAYOUT))) * SPREAD
    return np.asarray(rng.normal(0, 1, len(LAYOUT)) * SPREAD + np.cumsum(steps, axis=0))


def fingerprints(clips: Sequence[Floats]) -> Fingerprints:
    rows = []
    for number, clip in enumerate(clips):
        picture = clip.mean(axis=0)
        changes = clip[:, :NUM_INSTANT] - picture[:NUM_INSTANT]
        step = max(float(np.abs(changes).max()) / 127, 1e-3)
        rows.append(
            {
                "clip_id": f"{number:032x}",
                "video_id": f"{number:032x}",
                "interval_s": INTERVAL_S,
                "change_step": step,
                "picture": picture.astype("<f2").tobytes(),
                "changes": np.rint(changes / step).astype(np.int8).tobytes(),
                "content": f"{number:016x}",
            }
        )
    table = pa.Table.from_pylist(rows, schema=TABLES["fingerprints"].schema)
    return load_fingerprints(table.to_batches)


def met(clips: Sequence[Floats], exact_keys: int = 20_000) -> dict[tuple[int, int], int]:
    """The ways in which pairs of clips are alike."""
    found = find_candidates(fingerprints(clips), np.arange(len(clips)), exact_keys=exact_keys)
    pairs = zip(found.first.tolist(), found.second.tolist(), strict=True)
    return dict(zip(pairs, found.ways.tolist(), strict=True))


def test_a_copy_and_a_mirrored_copy_meet_each_in_its_way() -> None:
    clip = shown(1)
    assert met([clip, clip * 1.01, clip * MIRROR]) == {(0, 1): STRAIGHT, (0, 2): MIRRORED, (1, 2): MIRRORED}


def test_what_is_its_own_mirror_picture_meets_in_both_ways() -> None:
    symmetric = np.where(IS_ODD, 0, shown(2))
    assert met([symmetric, symmetric * 1.01]) == {(0, 1): STRAIGHT | MIRRORED}


def test_what_is_alike_but_for_signs_does_not_meet() -> None:
    """The index takes such clips for one another."""
    clip = np.where(IS_ODD, 25.0, shown(3))
    odd = np.flatnonzero(IS_ODD)
    signs = np.ones(len(LAYOUT))
    signs[odd[::2]] = -1
    assert met([clip, clip * signs]) == {}


@pytest.mark.parametrize("exact_keys", [20_000, 0])
def test_strangers_do_not_meet_and_copies_among_many_do(exact_keys: int) -> None:
    clips = [shown(seed) for seed in range(200)]
    copies = [clip * (MIRROR if k % 2 else 1) for k, clip in enumerate(clips[:20])]
    found = met([*clips, *copies], exact_keys)
    for k in range(20):
        assert found.pop((k, 200 + k)) == (MIRRORED if k % 2 else STRAIGHT)
    assert len(found) < 20


def test_a_pair_is_compared_only_in_its_ways() -> None:
    clip = shown(4)
    known = fingerprints([clip, clip * MIRROR])
    first, second = np.array([0]), np.array([1])
    for ways, agrees, is_mirrored in ((MIRRORED, True, True), (STRAIGHT, False, False), (3, True, True)):
        found = compare(known, first, second, np.array([ways], np.uint8))
        assert (found.still[0] > 0.97) == agrees
        assert found.mirrored[0] == is_mirrored


def test_no_pairs_give_no_rows() -> None:
    known = fingerprints([shown(5), shown(6)])
    candidates = find_candidates(known, np.arange(2))
    assert accepted_pairs(known, candidates, PerceptualConfig()).num_rows == 0

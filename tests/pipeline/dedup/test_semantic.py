from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from pipeline.dataset import Dataset
from pipeline.dedup import semantic, semantic_lists
from pipeline.dedup.semantic import PAIRS, SemanticConfig, semantic_pairs
from schemas import ConfigError
from schemas.config import load_config

Vectors = npt.NDArray[np.float32]


def unit(vectors: Vectors) -> Vectors:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def rounded(vectors: Vectors) -> Vectors:
    """Unit vectors as the table holds them."""
    return unit(vectors).astype(np.float16).astype(np.float32)


def turned(vectors: Vectors, cosine: Vectors | float, rng: np.random.Generator) -> Vectors:
    """Unit vectors at a cosine with the given ones."""
    across = rng.standard_normal(vectors.shape, np.float32)
    across = unit(across - (across * vectors).sum(-1, keepdims=True) * vectors)
    cosines = np.broadcast_to(np.asarray(cosine, np.float32), len(vectors))[:, None]
    return np.asarray(cosines * vectors + np.sqrt(1 - cosines**2) * across, np.float32)


def stored(folder: Path, vectors: Sequence[object], ids: Sequence[str] | None = None) -> Dataset:
    dataset = Dataset(str(folder))
    names = list(ids or (f"clip-{k:05}" for k in range(len(vectors))))
    rows = pa.table({"clip_id": names, "embedding": pa.array(vectors, pa.list_(pa.float32()))})
    dataset.manifest.overwrite("scores/embedding", rows)
    return dataset


def listed(pairs: pa.Table) -> set[tuple[str, str]]:
    return set(zip(pairs["clip_id"].to_pylist(), pairs["other_id"].to_pylist(), strict=True))


def exact(vectors: Vectors, threshold: float) -> set[tuple[str, str]]:
    wide = unit(vectors)
    first, second = np.nonzero(np.triu(wide @ wide.T >= threshold, 1))
    return {(f"clip-{a:05}", f"clip-{b:05}") for a, b in zip(first, second, strict=True)}


def drawn(count: int, width: int, seed: int, num_topics: int = 40) -> Vectors:
    """Unit vectors around topics in a cone, every second one at a cosine of 0.95 to 1 to the one before."""
    rng = np.random.default_rng(seed)
    topics = unit(rng.standard_normal((num_topics, width), np.float32)) + unit(rng.standard_normal(width, np.float32))
    vectors = unit(
        topics[rng.integers(0, num_topics, count)] + 0.5 * unit(rng.standard_normal((count, width), np.float32))
    )
    vectors[1::2] = turned(vectors[::2], rng.uniform(0.95, 1, count // 2).astype(np.float32), rng)
    return rounded(vectors)


@pytest.mark.parametrize("width", [8, 96, 300])
def test_a_small_table_is_compared_in_full(tmp_path: Path, width: int) -> None:
    vectors = drawn(1200, width, seed=width)
    config = SemanticConfig(max_pairs_per_list=2000)
    found = semantic_pairs(stored(tmp_path, list(vectors)), config)
    assert listed(found) == exact(vectors, config.threshold)
    assert found.schema == PAIRS
    similarity = dict(
        zip(
            zip(*(found[c].to_pylist() for c in ("clip_id", "other_id")), strict=True),
            found["similarity"].to_pylist(),
            strict=True,
        )
    )
    wide = unit(vectors).astype(np.float64)
    for (one, other), value in list(similarity.items())[:50]:
        assert value == pytest.approx(float(wide[int(one[5:])] @ wide[int(other[5:])]), abs=2e-6)


@pytest.mark.parametrize("seed", [1, 2])
def test_pairs_across_the_borders_of_lists_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    # Small lists, so that a small table has many.
    monkeypatch.setattr(semantic_lists, "LIST_ROWS", 40)
    vectors = drawn(3000, 192, seed, num_topics=2)
    wanted = exact(vectors, 0.985)
    apart = listed(semantic_pairs(stored(tmp_path / "0", list(vectors)), SemanticConfig(max_visits=0)))
    found = listed(semantic_pairs(stored(tmp_path / "1", list(vectors)), SemanticConfig(max_visits=16)))
    assert found <= wanted
    assert len(found) >= 0.998 * len(wanted)
    # What a comparison within lists alone finds must be less, or this would show nothing.
    assert len(apart) < 0.99 * len(wanted)


def test_the_order_of_rows_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(semantic_lists, "LIST_ROWS", 40)
    vectors = drawn(2000, 64, seed=3)
    order = np.random.default_rng(0).permutation(2000)
    straight = semantic_pairs(stored(tmp_path / "0", list(vectors)), SemanticConfig(max_visits=8))
    names = [f"clip-{k:05}" for k in order]
    assert semantic_pairs(stored(tmp_path / "1", list(vectors[order]), names), SemanticConfig(max_visits=8)) == straight
    assert straight["clip_id"].to_pylist() == sorted(straight["clip_id"].to_pylist())


def test_exact_copies_hang_on_the_first_of_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    one = rounded(rng.standard_normal((1, 32), np.float32))
    near = rounded(turned(one, 0.99, rng))
    found = semantic_pairs(stored(tmp_path, [*one, *near, *one, *one]), SemanticConfig())
    assert listed(found) == {("clip-00000", "clip-00001"), ("clip-00000", "clip-00002"), ("clip-00000", "clip-00003")}
    assert found["similarity"].to_pylist() == [pytest.approx(0.99, abs=1e-3), 1.0, 1.0]
    assert (set(found["method"].to_pylist()), found["offset_s"].null_count) == ({"semantic"}, 3)


def test_a_crowd_hangs_together_with_few_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(semantic, "_CELLS", 4096)
    rng = np.random.default_rng(5)
    centre = unit(rng.standard_normal((1, 64), np.float32))
    crowd = rounded(turned(np.repeat(centre, 3000, axis=0), 0.998, rng))
    found = semantic_pairs(stored(tmp_path, list(crowd)), SemanticConfig(max_pairs_per_list=8))
    assert len(found) <= 8 * 3000
    group = {f"clip-{k:05}": f"clip-{k:05}" for k in range(3000)}
    for one, other in sorted(listed(found)):
        group[other] = min(group[other], group[one])
    assert set(group.values()) == {"clip-00000"}


def test_clips_without_an_embedding_have_no_pair(tmp_path: Path) -> None:
    one = [1.0, 0.0]
    assert listed(semantic_pairs(stored(tmp_path, [None, one, None, one]), SemanticConfig())) == {
        ("clip-00001", "clip-00003")
    }
    assert len(semantic_pairs(stored(tmp_path / "none", [None, None]), SemanticConfig())) == 0
    assert semantic_pairs(Dataset(str(tmp_path / "nothing")), SemanticConfig()) == PAIRS.empty_table()


def test_embeddings_of_two_widths_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"clip-00002 has an embedding of width 3, others have 2"):
        semantic_pairs(stored(tmp_path, [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0, 1.0]]), SemanticConfig())


@pytest.mark.parametrize("wrong", [[0.0, 0.0], [float("nan"), 1.0], [3.0, 4.0], [None, 1.0], [float("inf"), 0.0], []])
def test_an_embedding_that_is_not_of_unit_length_is_refused_by_name(tmp_path: Path, wrong: list[float]) -> None:
    dataset = stored(tmp_path, [[1.0, 0.0], wrong] if wrong else [wrong])
    with pytest.raises(ConfigError, match=r"the embedding of clip clip-0000[01] has length"):
        semantic_pairs(dataset, SemanticConfig())


@pytest.mark.parametrize("value", ["0.2", "1.0", ".nan"])
def test_a_threshold_that_means_nothing_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="threshold"):
        load_config(SemanticConfig, None, [f"threshold={value}"])

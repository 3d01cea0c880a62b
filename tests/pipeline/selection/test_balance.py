from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.manifest import Manifest
from pipeline.selection.balance import BALANCE, BalanceConfig, balance, shares
from schemas import ConfigError

SIZES = (900, 90, 9, 1)


def unit(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def subjects(tmp_path: Path) -> tuple[ds.Dataset, pa.Table]:
    """A thousand clips of four subjects, of which the rarest has one clip; their embeddings, and their ids."""
    rng = np.random.default_rng(5)
    subject = np.repeat(np.arange(4), SIZES)
    vectors = unit(np.eye(16, dtype=np.float32)[subject] + 0.005 * rng.standard_normal((1000, 16), np.float32))
    ids = [f"{rng.bytes(6).hex()}-{k}" for k in subject]
    table = pa.table({"clip_id": ids, "embedding": list(vectors)})
    manifest = Manifest(str(tmp_path))
    manifest.overwrite("scores/embedding", table)
    stored = manifest.dataset("scores/embedding")
    assert stored is not None
    return stored, pa.table({"clip_id": ids})


def kept_by_subject(found: pa.Table) -> list[int]:
    kept = [row["clip_id"] for row in found.to_pylist() if row["kept"]]
    return [sum(name.endswith(f"-{k}") for name in kept) for k in range(4)]


def test_a_cap_leaves_the_rare_alone(subjects: tuple[ds.Dataset, pa.Table]) -> None:
    found = balance(*subjects, BalanceConfig(method="cap", num_clusters=4, cap=50))
    assert kept_by_subject(found) == [50, 50, 9, 1]
    assert found.schema == BALANCE
    assert len(set(found["cluster"].to_pylist())) == 4


def test_a_cap_keeps_the_best_of_a_cluster_by_score(subjects: tuple[ds.Dataset, pa.Table]) -> None:
    embeddings, kept = subjects
    scored = kept.append_column("score", pa.array([None if k % 7 == 0 else float(k) for k in range(len(kept))]))
    found = balance(embeddings, scored, BalanceConfig(method="cap", num_clusters=4, cap=5))
    stays = {row["clip_id"] for row in found.to_pylist() if row["kept"]}
    assert {kept["clip_id"][k].as_py() for k in (899, 898, 897, 895, 894)} <= stays
    assert kept_by_subject(found) == [5, 5, 5, 1]


def test_the_inverse_square_root_thins_what_is_common(subjects: tuple[ds.Dataset, pa.Table]) -> None:
    found = balance(*subjects, BalanceConfig(method="inverse_sqrt", num_clusters=4, keep_ratio=0.2))
    many, some, few, one = kept_by_subject(found)
    assert (few, one) == (9, 1)
    # 200 clips are wanted: 10 of the rare, and 190 as 30 to sqrt(90).
    assert many == pytest.approx(190 * 30 / (30 + 90**0.5), abs=30)
    assert some == pytest.approx(190 * 90**0.5 / (30 + 90**0.5), abs=15)


def test_weights_alone_give_each_cluster_the_root_of_its_size(subjects: tuple[ds.Dataset, pa.Table]) -> None:
    found = balance(*subjects, BalanceConfig(method="inverse_sqrt", num_clusters=4, keep_ratio=1))
    assert kept_by_subject(found) == list(SIZES)
    rows = found.to_pylist()
    totals = [sum(row["weight"] for row in rows if row["clip_id"].endswith(f"-{k}")) for k in range(4)]
    assert np.array(totals) / totals[3] == pytest.approx(np.sqrt(SIZES))
    assert np.mean(found["weight"].to_numpy()) == pytest.approx(1)


def test_what_is_dropped_weighs_nothing_and_the_kept_weigh_one_on_average(
    subjects: tuple[ds.Dataset, pa.Table],
) -> None:
    found = balance(*subjects, BalanceConfig(method="inverse_sqrt", num_clusters=4, keep_ratio=0.3)).to_pylist()
    assert {row["weight"] for row in found if not row["kept"]} == {0.0}
    assert np.mean([row["weight"] for row in found if row["kept"]]) == pytest.approx(1)


@pytest.mark.parametrize("method", ["cap", "inverse_sqrt"])
def test_the_order_of_the_tables_changes_nothing(
    subjects: tuple[ds.Dataset, pa.Table], tmp_path: Path, method: str
) -> None:
    embeddings, kept = subjects
    config = BalanceConfig.model_validate({"method": method, "num_clusters": 6, "cap": 40})
    order = np.random.default_rng(1).permutation(1000)
    shuffled = Manifest(str(tmp_path / "shuffled"))
    shuffled.overwrite("scores/embedding", embeddings.to_table().take(order))
    stored = shuffled.dataset("scores/embedding")
    assert stored is not None
    assert balance(embeddings, kept, config) == balance(stored, kept.take(order[::-1]), config)


def test_a_clip_without_an_embedding_stays_and_one_not_asked_about_does_not_count(
    subjects: tuple[ds.Dataset, pa.Table],
) -> None:
    embeddings, kept = subjects
    asked = pa.concat_tables([kept.slice(900), pa.table({"clip_id": ["unseen"]})])
    found = balance(embeddings, asked, BalanceConfig(method="cap", num_clusters=4, cap=2)).to_pylist()
    assert len(found) == 101
    assert [row for row in found if row["clip_id"] == "unseen"] == [
        {"clip_id": "unseen", "cluster": None, "kept": True, "weight": 1.0}
    ]


def test_without_embeddings_or_method_all_stay(subjects: tuple[ds.Dataset, pa.Table]) -> None:
    embeddings, kept = subjects
    for found in (balance(None, kept, BalanceConfig(method="cap", cap=1)), balance(embeddings, kept, BalanceConfig())):
        assert (found.schema, found["kept"].to_pylist()) == (BALANCE, [True] * 1000)
    assert len(balance(embeddings, kept.slice(0, 0), BalanceConfig(method="cap"))) == 0


def test_embeddings_of_two_widths_are_refused(tmp_path: Path) -> None:
    manifest = Manifest(str(tmp_path))
    manifest.append("scores/embedding", [{"clip_id": "a", "embedding": [1.0, 0.0]}])
    manifest.append("scores/embedding", [{"clip_id": "b", "embedding": [1.0, 0.0, 0.0]}])
    with pytest.raises(ConfigError, match="width"):
        balance(manifest.dataset("scores/embedding"), pa.table({"clip_id": ["a", "b"]}), BalanceConfig(method="cap"))


@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=50), st.floats(0.01, 1))
def test_the_wanted_share_stays_and_no_cluster_is_thinned_more_than_a_larger_one(
    sizes: list[int], keep_ratio: float
) -> None:
    counts = np.array(sizes)
    found = shares(counts, keep_ratio)
    assert (found * counts).sum() == pytest.approx(keep_ratio * counts.sum())
    assert (found > 0).all()
    assert (found <= 1).all()
    assert (np.diff(found[np.argsort(counts)]) <= 1e-12).all()
    thinned = found < 1
    assert np.ptp((found * np.sqrt(counts))[thinned]) == pytest.approx(0, abs=1e-6) if thinned.any() else True

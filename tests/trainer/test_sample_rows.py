from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from infra.bench.made_shards import DIGESTS, LATENT_SET, TEXT_SET
from pipeline.manifest import Manifest
from schemas import ConfigError
from schemas.caption_mix import CaptionMixConfig
from trainer.sample_rows import SampleRows, load_rows, read_captions, read_rows
from trainer.shard_sets import SetPair

PAIR = SetPair(LATENT_SET, TEXT_SET)
ANY: dict[str, str | None] = dict.fromkeys(DIGESTS)


@pytest.fixture(scope="module")
def rows(made_shards: str) -> SampleRows:
    return read_rows(Manifest(made_shards), PAIR, ANY)


def test_every_sample_is_there_with_its_latent_and_its_texts(rows: SampleRows) -> None:
    assert len(rows) == 40
    assert rows.clip_ids == sorted(rows.clip_ids)
    row = rows.row(7)
    assert row.clip_id == rows.clip_ids[7]
    assert row.latent_shard.startswith(LATENT_SET)
    assert row.text_shard.startswith(TEXT_SET)
    assert row.pixels == (1 + (row.latent[1] - 1) * 4, row.latent[2] * 8, row.latent[3] * 8)
    assert rows.tokens((1, 2, 2))[7] == row.latent[1] * row.latent[2] * row.latent[3] // 4
    assert len(set(rows.shapes().tolist())) == 4


def test_rows_come_back_from_their_file(rows: SampleRows, tmp_path: Path) -> None:
    rows.save(tmp_path / "samples.parquet")
    loaded = load_rows(tmp_path / "samples.parquet")
    assert loaded.digest == rows.digest
    assert loaded.row(3) == rows.row(3)


def test_a_file_that_is_none_is_the_user_s_mistake(tmp_path: Path) -> None:
    (tmp_path / "samples.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ConfigError, match=r"samples.parquet: cannot be read"):
        load_rows(tmp_path / "samples.parquet")


def test_other_encoders_than_the_config_names_are_refused(made_shards: str) -> None:
    for name in DIGESTS:
        with pytest.raises(ConfigError, match=rf"data.{name}: ffff, but the samples of .* were made with"):
            read_rows(Manifest(made_shards), PAIR, {**ANY, name: "ffff"})
    assert len(read_rows(Manifest(made_shards), PAIR, dict(DIGESTS))) == 40


def test_latents_without_texts_are_refused(made_shards: str) -> None:
    with pytest.raises(ConfigError, match="hold different clips"):
        read_rows(Manifest(made_shards), SetPair(LATENT_SET, "text-0"), ANY)


def test_a_patch_that_does_not_divide_is_told_with_the_clip(rows: SampleRows) -> None:
    with pytest.raises(ConfigError, match=r"model.patch: \[1, 3, 2\] does not divide the latent of clip"):
        rows.tokens((1, 3, 2))


def test_captions_are_drawn_by_their_shares_and_counted(rows: SampleRows) -> None:
    config = CaptionMixConfig(dense_ratio=0.5, dropout_ratio=0.3)
    drawn = [read_captions(rows, config, 0, epoch) for epoch in range(100)]
    kinds = Counter(kind for one in drawn for kind in one.kinds)
    assert kinds[None] / 4000 == pytest.approx(0.3, abs=0.03)
    assert kinds["dense"] / 4000 == pytest.approx(0.35, abs=0.03)
    counts = rows.table["num_text_tokens"].to_pylist()
    for kind, tokens, count in zip(drawn[0].kinds, drawn[0].num_tokens.tolist(), counts, strict=True):
        assert tokens == {None: 1, "dense": count[0], "short": count[1]}[kind]


def test_a_clip_reads_the_same_whatever_else_there_is(rows: SampleRows) -> None:
    import numpy as np

    config = CaptionMixConfig(dense_ratio=0.5, dropout_ratio=0.3)
    few = rows.take(np.array([30, 3, 17]))
    assert few.clip_ids == [rows.clip_ids[k] for k in (3, 17, 30)]
    whole = read_captions(rows, config, 0, 4)
    assert read_captions(few, config, 0, 4).kinds == [whole.kinds[k] for k in (3, 17, 30)]

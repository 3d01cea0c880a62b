from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.shards import ShardError
from trainer.encoded import EncodedStore

VIDEO, CLIP, OTHER = "a" * 32, "b" * 32, "c" * 32
NUMBERS = {"latent.safetensors": b"numbers"}
ABOUT = {"span": {"time_base": [1, 25]}, "digests": {"autoencoder": "x"}}


def test_a_latent_is_found_by_all_that_it_was_made_from(tmp_path: Path) -> None:
    store = EncodedStore(str(tmp_path), "latent-0")
    assert store.find(VIDEO, CLIP, ABOUT) is None
    digest = store.put(VIDEO, CLIP, {**ABOUT, "times_s": [0.0]}, NUMBERS).sha256
    found = store.find(VIDEO, CLIP, ABOUT)
    assert found is not None
    assert (found.sha256, found.about["times_s"]) == (digest, [0.0])
    assert store.find(VIDEO, CLIP, {**ABOUT, "digests": {"autoencoder": "y"}}) is None
    assert store.find(VIDEO, CLIP, {**ABOUT, "more": 1}) is None
    assert EncodedStore(str(tmp_path), "latent-1").find(VIDEO, CLIP, ABOUT) is None


def test_another_latent_than_the_manifest_means_is_refused(tmp_path: Path) -> None:
    store = EncodedStore(str(tmp_path), "latent-0")
    digest = store.put(VIDEO, CLIP, ABOUT, NUMBERS).sha256
    assert store.read(VIDEO, CLIP, digest).members == NUMBERS
    assert store.put(VIDEO, CLIP, ABOUT, {"latent.safetensors": b"others"}).sha256 != digest
    with pytest.raises(ShardError, match="is not the latent that the manifest means"):
        store.read(VIDEO, CLIP, digest)


def test_a_latent_under_another_s_name_is_refused(tmp_path: Path) -> None:
    store = EncodedStore(str(tmp_path), "latent-0")
    digest = store.put(VIDEO, CLIP, ABOUT, NUMBERS).sha256
    folder = tmp_path / "encoded" / "latent-0" / VIDEO[:2] / VIDEO
    (folder / f"{CLIP}.tar").rename(folder / f"{OTHER}.tar")
    assert store.find(VIDEO, OTHER, ABOUT) is None
    with pytest.raises(ShardError, match="not the one of its name"):
        store.read(VIDEO, OTHER, digest)


def test_other_latents_of_a_video_go(tmp_path: Path) -> None:
    store = EncodedStore(str(tmp_path), "latent-0")
    for video_id in (VIDEO, OTHER):
        for clip_id in (CLIP, OTHER):
            store.put(video_id, clip_id, ABOUT, NUMBERS)
    store.keep_only(VIDEO, {CLIP})
    store.keep_only("d" * 32, {CLIP})
    left = sorted(str(path.relative_to(tmp_path / "encoded")) for path in tmp_path.rglob("*.tar"))
    assert left == sorted(f"latent-0/{v[:2]}/{v}/{c}.tar" for v, c in ((VIDEO, CLIP), (OTHER, CLIP), (OTHER, OTHER)))

"""Where latents wait to be packed: one tar a clip, in the form of a shard, below `encoded/` in the dataset.

```text
DATASET/encoded/SET/ab/VIDEO_ID/CLIP_ID.tar
```
From here clips are packed again when others come and go, without being encoded again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pipeline.shards import Sample, ShardError, ShardStore

ENCODED_FOLDER = "encoded"


class EncodedStore:
    """The latents of one set, clip by clip.

    Args:
        dataset: The dataset's folder or URL.
        latent_set: The set's name.
    """

    def __init__(self, dataset: str, latent_set: str) -> None:
        self._store = ShardStore(dataset, ENCODED_FOLDER)
        self._set = latent_set

    def put(self, video_id: str, clip_id: str, about: Mapping[str, Any], members: Mapping[str, bytes]) -> Sample:
        """Write a latent whole, in the place of the one that was there.

        Raises:
            MediaError: The dataset cannot be written (kind `storage`).
        """
        sample = Sample(clip_id, about, members)
        self._store.write(self._name(video_id, clip_id), [sample])
        return sample

    def find(self, video_id: str, clip_id: str, about: Mapping[str, Any]) -> Sample | None:
        """A latent that is there, whole, and of which all of this is said; None without."""
        try:
            sample = self._only(video_id, clip_id)
        except ShardError:
            return None
        return sample if {entry: sample.about.get(entry) for entry in about} == dict(about) else None

    def read(self, video_id: str, clip_id: str, sha256: str) -> Sample:
        """The latent with a digest.

        Raises:
            ShardError: It is not there, damaged, or another one.
        """
        sample = self._only(video_id, clip_id)
        if sample.sha256 != sha256:
            raise ShardError(f"{self._name(video_id, clip_id)}: is not the latent that the manifest means")
        return sample

    def keep_only(self, video_id: str, clip_ids: Collection[str]) -> None:
        """Remove a video's other latents of this set."""
        below = self._name(video_id, "")
        for name in self._store.names(below.rpartition("/")[0]):
            if name.rpartition("/")[2].removesuffix(".tar") not in clip_ids:
                self._store.remove(name)

    def _only(self, video_id: str, clip_id: str) -> Sample:
        name = self._name(video_id, clip_id)
        samples = list(self._store.read(name))
        if len(samples) != 1 or samples[0].key != clip_id:
            raise ShardError(f"{name}: holds {len(samples)} samples, and not the one of its name")
        return samples[0]

    def _name(self, video_id: str, clip_id: str) -> str:
        return f"{self._set}/{video_id[:2]}/{video_id}/{clip_id}.tar"

"""All embeddings of a table on disk as float16, in reach as if they were in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from pipeline.embeddings import Vectors, checked_vectors, stored_batches

Ranks = npt.NDArray[np.int64]
"""Places of clips in the order of their ids, from 0."""

_HASH_BLOCK = 4096


class VectorStore:
    """The embeddings of a table, by rank: the place of the clip in the order of all ids.

    What comes out so does not depend on the order in which the table's files hold the rows. The values lie in a
    memory-mapped scratch file (2 bytes each), so that the kernel may put away what does not fit.

    Args:
        embeddings: The stored table.

    Raises:
        ConfigError: An embedding is of another width or not of unit length.
    """

    def __init__(self, embeddings: ds.Dataset) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="rushes-semantic-")
        try:
            self._fill(embeddings, Path(self._folder.name) / "vectors.f16")
        except BaseException:
            self._folder.cleanup()
            raise

    def _fill(self, embeddings: ds.Dataset, path: Path) -> None:
        ids: list[pa.Array] = []
        self.width = 0
        with path.open("wb") as file:
            for names, vectors in checked_vectors(stored_batches(embeddings)):
                ids.append(names)
                self.width = vectors.shape[1]
                vectors.astype(np.float16).tofile(file)
        stored = pa.chunked_array(ids, pa.string())
        order = pc.sort_indices(stored)
        self.ids: pa.ChunkedArray = stored.take(order)
        """Strings (rows,), ascending."""
        self._places: Ranks = order.to_numpy().astype(np.int64)
        self._values: npt.NDArray[np.float16] = np.empty((0, self.width), np.float16)
        if len(self):
            self._values = np.memmap(path, np.float16, mode="r", shape=(len(self), self.width))

    def __len__(self) -> int:
        """How many clips have an embedding."""
        return len(self.ids)

    def __enter__(self) -> Self:
        """The file is there already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put the scratch file away."""
        del self._values
        self._folder.cleanup()

    def vectors(self, ranks: Ranks) -> Vectors:
        """Embeddings of unit length, float32 (len(ranks), width)."""
        found = self._values[self._places[ranks]].astype(np.float32)
        found /= np.sqrt(np.einsum("nd,nd->n", found, found))[:, None]
        return found

    def scratch(self, name: str, shape: tuple[int, int]) -> Vectors:
        """A float32 array of this shape in a file beside the vectors, to be filled."""
        return np.memmap(Path(self._folder.name) / name, np.float32, mode="w+", shape=shape)

    def first_of_equals(self) -> Ranks:
        """For each clip the lowest rank among those with exactly its embedding."""
        hashes = self._hashes()
        _, first, group = np.unique(hashes, return_index=True, return_inverse=True)
        firsts = first[group]
        # Two embeddings may share a hash: what differs from the first of its hash counts as one of a kind.
        ranks = np.arange(len(self))
        for block in blocks(np.flatnonzero(firsts != ranks), _HASH_BLOCK):
            same = (self._values[self._places[block]] == self._values[self._places[firsts[block]]]).all(axis=1)
            firsts[block[~same]] = block[~same]
        return np.asarray(firsts, np.int64)

    def _hashes(self) -> npt.NDArray[np.uint64]:
        """A linear hash of each clip's bytes, modulo 2^64."""
        weights = np.random.default_rng(0).integers(0, 2**64, self.width, np.uint64) | np.uint64(1)
        found = np.empty(len(self), np.uint64)
        for block in blocks(np.arange(len(self)), _HASH_BLOCK):
            bits = self._values[self._places[block]].view(np.uint16).astype(np.uint64)
            found[block] = (bits * weights).sum(axis=1, dtype=np.uint64)
        return found


def blocks(values: npt.NDArray[Any], size: int) -> list[npt.NDArray[Any]]:
    """An array in pieces of at most `size`; none for an empty one."""
    return [values[start : start + size] for start in range(0, len(values), size)]

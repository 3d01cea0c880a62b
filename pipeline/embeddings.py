"""Read the table of embeddings batch by batch, and refuse what is no embedding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from schemas import ConfigError

Vectors = npt.NDArray[np.float32]
"""float32 (rows, width)."""

TABLE = "scores/embedding"
BATCH_ROWS = 8192
_LENGTH_SLACK = 5e-3
"""How far an embedding's length may be from 1; rounding each value to float16 changes it by less than 0.0005."""


def stored_batches(embeddings: ds.Dataset) -> pa.RecordBatchReader:
    """Read `clip_id` and `embedding` of the stored table, once; few batches are in memory at a time.

    Clips without an embedding are left out.
    """
    scanner = embeddings.scanner(
        columns=["clip_id", "embedding"],
        filter=pc.field("embedding").is_valid(),
        batch_size=BATCH_ROWS,
        batch_readahead=2,
        fragment_readahead=1,
        # By default Arrow reads a whole row group ahead, which of embeddings are gigabytes.
        fragment_scan_options=ds.ParquetFragmentScanOptions(pre_buffer=False, use_buffered_stream=True),
    )
    return scanner.to_reader()


def checked_vectors(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[pa.Array, Vectors]]:
    """Ids and embeddings of each batch that holds any.

    Args:
        batches: With the columns `clip_id` and `embedding`.

    Yields:
        Strings (rows,), and float32 (rows, width) of unit length, none of them null.

    Raises:
        ConfigError: Two embeddings differ in width, or one is not of unit length.
    """
    width: int | None = None
    for batch in batches:
        present = pc.is_valid(batch["embedding"])
        ids, lists = batch["clip_id"].filter(present), batch["embedding"].filter(present)
        if not len(ids):
            continue
        widths = pc.list_value_length(lists)
        width = width if width is not None else widths[0].as_py()
        other = pc.index(pc.not_equal(widths, width), True).as_py()
        if other >= 0:
            raise ConfigError(
                f"{TABLE}: clip {ids[other].as_py()} has an embedding of width {widths[other].as_py()}, others have "
                f"{width}: they come from different models; run the stage embedding again over all clips"
            )
        vectors = lists.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False).reshape(len(ids), width)
        _check_lengths(ids, vectors)
        yield ids, vectors


def _check_lengths(ids: pa.Array, vectors: npt.NDArray[Any]) -> None:
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    wrong = ~(np.abs(lengths - 1) <= _LENGTH_SLACK)  # NaN is wrong too
    if wrong.any():
        first = int(np.argmax(wrong))
        raise ConfigError(
            f"{TABLE}: the embedding of clip {ids[first].as_py()} has length {lengths[first]:.3g}, not 1: "
            "run the stage embedding again over it"
        )

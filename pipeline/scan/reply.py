"""What the decoder's child answers a scan with: a header that JSON can hold, and blobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.scan.assemble import Row, ScanOutcome
from schemas.errors import ErrorKind, MediaError


def pack(outcome: ScanOutcome) -> tuple[dict[str, Any], list[bytes]]:
    """The header and the blobs: pictures first, then binary values of rows, each in the place that `binary` names."""
    rows: dict[str, list[Row]] = {table: [dict(row) for row in some] for table, some in outcome.rows.items()}
    binary = [
        (table, index, column)
        for table, some in rows.items()
        for index, row in enumerate(some)
        for column, value in row.items()
        if isinstance(value, bytes)
    ]
    values = [rows[table][index].pop(column) for table, index, column in binary]
    names = [name for name, _ in outcome.previews]
    header = {"rows": rows, "counts": dict(outcome.counts), "previews": names, "binary": binary}
    return header, [*(jpeg for _, jpeg in outcome.previews), *values]


def unpack(header: Any, blobs: Sequence[Any]) -> ScanOutcome:
    """The inverse; names and numbers of the answer go on, nothing of it is executed or opened.

    Raises:
        MediaError: It is not such an answer (`decoder_crash`).
    """
    rows, counts, names, binary = (header.get(name) for name in ("rows", "counts", "previews", "binary"))
    if not (isinstance(rows, dict) and isinstance(counts, dict) and isinstance(names, list)):
        raise MediaError(ErrorKind.decoder_crash, "the decoder's answer makes no sense")
    if not isinstance(binary, list) or len(names) + len(binary) != len(blobs):
        raise MediaError(ErrorKind.decoder_crash, "the decoder sends more or fewer pictures than it names")
    try:
        for (table, index, column), value in zip(binary, blobs[len(names) :], strict=True):
            rows[table][index][column] = bytes(value)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise MediaError(ErrorKind.decoder_crash, "the decoder's answer makes no sense") from error
    return ScanOutcome(
        rows=rows, counts=counts, previews=list(zip(names, map(bytes, blobs[: len(names)]), strict=True))
    )

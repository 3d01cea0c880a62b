"""What each stage gives for one fixed film, as a digest beside the stage's version.

A digest that is no longer the same means that datasets made before are out of date: raise the stage's
`version`, and write the new pair here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from infra.demo.encode import Encoding
from infra.demo.tiny import tiny_film
from infra.demo.truth import Cut
from pipeline.media import MediaLimits
from pipeline.scan import ScanConfig
from pipeline.stages.ingest import IngestConfig, IngestFiles, list_inputs
from pipeline.stages.scan import ScanInput, ScanVideos
from schemas import Result, Row, digest

GOLDEN = {
    "ingest": (1, "d4350c99ad1e0586d9e82fddc47d0789"),
    "scan": (4, "89201d0f8487da2974f7fc916044c5fd"),
}
_NOT_CONTENT = {"uri", "modified_at", "num_bytes"}


def stable(value: Any) -> Any:
    """A value with floats to three digits: the last ones depend on the processor's vector unit, and so do bytes."""
    if isinstance(value, bytes):
        return len(value)
    return float(f"{value:.3g}") if isinstance(value, float) else value


def fingerprint(results: Sequence[Result]) -> str:
    def row(values: Row) -> dict[str, Any]:
        return {name: stable(value) for name, value in values.items() if name not in _NOT_CONTENT}

    return digest([{table: [row(one) for one in rows] for table, rows in result.rows.items()} for result in results])


def done(stage: Any, items: Sequence[Any]) -> list[Result]:
    stage.setup()
    try:
        return list(stage(items))
    finally:
        stage.close()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("golden") / "film.mkv"
    # Lossless, so that no encoder's rounding is in it.
    cuts = [30, Cut.gradual("dissolve", 70, 85), 120]
    tiny_film(path, num_frames=150, cuts=cuts, codec="ffv1", encoding=Encoding(), seed=7)
    return path


@pytest.fixture(scope="module")
def ingested(film: Path) -> list[Result]:
    return done(IngestFiles(IngestConfig(), MediaLimits()), list(list_inputs(IngestConfig(), [str(film)])))


@pytest.fixture(scope="module")
def scanned(film: Path, ingested: list[Result], tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    (row,) = ingested[0].rows["files"]
    item = ScanInput(**{name: row[name] for name in ("video_id", "uri", "num_bytes", "probe")})  # type: ignore[arg-type]
    config = ScanConfig(min_clip_s=0.5, max_clip_s=1.5)
    return done(ScanVideos(config, MediaLimits(), str(tmp_path_factory.mktemp("ds"))), [item])


def test_ingest_gives_what_its_version_gave(ingested: list[Result]) -> None:
    assert ("ingest", IngestFiles.version, fingerprint(ingested)) == ("ingest", *GOLDEN["ingest"])


def test_scan_gives_what_its_version_gave(scanned: list[Result]) -> None:
    assert [row["start_frame"] for row in scanned[0].rows["shots"]] == [0, 30, 84, 120]
    assert ("scan", ScanVideos.version, fingerprint(scanned)) == ("scan", *GOLDEN["scan"])

"""What the stage around a scorer costs, over the bare network on the same pictures."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from infra.bench.table import Figure
from pipeline.clip import find_clip, load_clip
from pipeline.clip.model import build_network, picture_transform
from pipeline.clip.tensors import write_tensors
from pipeline.config import PipelineConfig
from pipeline.curation import curation_steps
from pipeline.dataset import Dataset
from pipeline.executor import LocalExecutor
from pipeline.previews import read_previews
from pipeline.runner import run_steps
from pipeline.scan import ScanConfig
from pipeline.scorers.embedding import Embedding, EmbeddingConfig
from pipeline.scorers.face_cascade import FaceCascade
from pipeline.scorers.faces import Faces, FacesConfig
from pipeline.scorers.pictures import by_clip
from pipeline.scorers.scorer import Picture, Scorer
from pipeline.scorers.text_area import TextArea, TextAreaConfig
from pipeline.scorers.text_boxes import TextDetector, network_input
from pipeline.stages.score import ScoreClips
from pipeline.stages.video_clips import VideoClips, video_clips
from schemas import Result, load_config

_MAX_OVERHEAD = 0.15
_MAX_CLIPS = 40
"""Some seconds of work a repetition."""
_ENCODER = "ViT-B-32"
"""The smallest encoder that is in common use, for which a stage weighs most."""


def measure(footage: Path, cache: Path, *, repeat: int = 3, max_clips: int = _MAX_CLIPS) -> list[Figure]:
    """The overhead of the stage for each scorer with a network of its own.

    The bare network is given pictures that are decoded, cut and, for text and embeddings, already in its own format, as
    many at once as the stage gives it and with as many threads; the stage reads the tars, decodes, cuts, prepares, asks
    the network, and makes rows. Both take turns in one process.

    Args:
        footage: A folder with videos.
        cache: Where the dataset of previews is written.
        repeat: How often each is done; the median of the ratios counts.
        max_clips: On how many clips.
    """
    dataset = Dataset(str(cache / "scorers-dataset"))
    shutil.rmtree(cache / "scorers-dataset", ignore_errors=True)
    items = _scanned(footage, dataset, max_clips)
    pictures = _pictures(dataset, items)
    with tempfile.TemporaryDirectory(dir=cache) as place:
        encoder = _drawn_encoder(Path(place))
        return [
            _figure(TextArea(TextAreaConfig()), _bare_text(pictures), dataset, items, repeat),
            _figure(Faces(FacesConfig()), _bare_faces(pictures), dataset, items, repeat),
            _figure(Embedding(encoder), _bare_embedding(encoder, pictures), dataset, items, repeat),
        ]


def _figure(
    scorer: Scorer, bare: Callable[[], None], dataset: Dataset, items: Sequence[VideoClips], repeat: int
) -> Figure:
    stage = ScoreClips(scorer, dataset.root)
    stage.setup()

    def whole() -> None:
        for start in range(0, len(items), stage.batch_size):
            for result in stage(items[start : start + stage.batch_size]):
                _check(result)

    bare()
    whole()
    times = [(_seconds(bare), _seconds(whole)) for _ in range(repeat)]
    overhead, busy = (statistics.median(stage[k] / one[k] - 1 for one, stage in times) for k in (0, 1))
    spread = ", ".join(f"{one[0]:.2f} s bare, {stage[0]:.2f} s whole" for one, stage in times)
    num_clips = sum(item.num_clips for item in items)
    return Figure(
        name=f"overhead of the stage {scorer.name} over its bare network",
        value=overhead,
        at_most=_MAX_OVERHEAD,
        note=f"{num_clips} clips; {spread}; by the time of the processor alone {busy:.1%}",
    )


def _scanned(footage: Path, dataset: Dataset, max_clips: int) -> list[VideoClips]:
    """The first clips of the folder, by video id, with their pictures in the dataset."""
    paths = sorted(path for path in footage.iterdir() if path.suffix in {".mp4", ".mkv", ".webm"})
    overrides = [f"dataset={dataset.root}", f"input=[{', '.join(repr(str(path)) for path in paths)}]"]
    config = load_config(PipelineConfig, None, overrides)
    dataset.create()
    ingest, scan, *_ = curation_steps(config)
    with dataset.lock():
        run_steps([ingest, scan], dataset, LocalExecutor(), "bench")
    chosen, num_clips = [], 0
    for item in video_clips(dataset.manifest, frozenset({"pictures"}), 0.0):
        if item.num_clips and num_clips + item.num_clips <= max_clips:
            chosen.append(item)
            num_clips += item.num_clips
    return chosen


def _pictures(dataset: Dataset, items: Sequence[VideoClips]) -> list[Picture]:
    shapes = {item.video_id: {clip.clip_id: clip.shape for clip in item.known()} for item in items}
    return [
        np.ascontiguousarray(picture)
        for video_id, wanted in shapes.items()
        for _, pictures in by_clip(read_previews(dataset, video_id), wanted)
        for picture in pictures
    ]


def _bare_text(pictures: Sequence[Picture]) -> Callable[[], None]:
    config, scorer = TextAreaConfig(), TextArea(TextAreaConfig())
    detector = TextDetector(scorer.model, config.max_side_px)
    inputs = [network_input(picture, config.max_side_px) for picture in pictures]

    def run() -> None:
        for values in inputs:
            detector.run(values)

    return run


def _bare_faces(pictures: Sequence[Picture]) -> Callable[[], None]:
    cascade, config = FaceCascade(), FacesConfig()

    def run() -> None:
        for picture in pictures:
            cascade(picture, max(1, round(config.min_face_ratio * min(picture.shape[:2]))))

    return run


def _drawn_encoder(place: Path) -> EmbeddingConfig:
    """A network of the common size whose weights are drawn at random: they change nothing about its speed."""
    from pipeline.clip.borrowed import get_model_config

    write_tensors(place / "weights.safetensors", build_network(get_model_config(_ENCODER), _ENCODER).state_dict())
    return EmbeddingConfig(architecture=_ENCODER, weights=str(place / "weights.safetensors"))


def _bare_embedding(config: EmbeddingConfig, pictures: Sequence[Picture]) -> Callable[[], None]:
    import torch
    from PIL import Image

    source = find_clip(config)
    # One thread, as for the stage.
    network = load_clip(source).network
    prepare = picture_transform(source.preprocess, network)
    inputs = torch.stack([prepare(Image.fromarray(picture)) for picture in pictures])
    size = config.batch_clips * ScanConfig().num_previews
    batches = [inputs[start : start + size] for start in range(0, len(inputs), size)]

    def run() -> None:
        with torch.inference_mode():
            for batch in batches:
                network.encode_image(batch)  # type: ignore[operator]

    return run


def _check(result: Result) -> None:
    if result.error is not None:
        raise RuntimeError(f"{result.input_id}: {result.error}")


def _seconds(run: Callable[[], None]) -> tuple[float, float]:
    """How long it takes, and how long the processor works for it: other programs slow down the first alone."""
    started, busy = time.monotonic(), time.process_time()
    run()
    return time.monotonic() - started, time.process_time() - busy

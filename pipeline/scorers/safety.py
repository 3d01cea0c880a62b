"""What must not be learnt from: nakedness, and what looks like something on a blocklist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import Field

from pipeline.clip import find_clip
from pipeline.clip.model import unit_rows
from pipeline.clip.tensors import read_matrix
from pipeline.scorers.embedding import EmbeddingConfig
from pipeline.scorers.scorer import ClipView, Picture
from schemas import Config, ConfigError, ErrorKind, MediaError, Resources, file_digest


class SafetyConfig(Config):
    """What clips are checked for; with neither, they are not."""

    nudity: Literal["nudenet"] | None = None
    """A detector of exposed skin. `nudenet` is the extra of that name; it is under the AGPL."""
    blocklist: str | None = None
    """A path (.npy, or .safetensors with one tensor): one row an embedding, of the model of `embedding`."""
    batch_clips: int = Field(16, ge=1, json_schema_extra={"affects_output": False})
    """Clips checked at once."""


def missing(config: SafetyConfig, embedding: EmbeddingConfig) -> str:
    """What must be configured first; empty where nothing is."""
    if config.blocklist is not None and embedding.weights is None:
        return "needs embedding.weights for safety.blocklist"
    return "" if config.nudity or config.blocklist else "needs safety.nudity or safety.blocklist"


class NudityDetector(Protocol):
    """Says of pictures how sure it is that they show exposed skin of a sexual kind."""

    def __call__(self, pictures: Sequence[Picture]) -> Sequence[float]:
        """A confidence from 0 to 1 for each picture."""


class NudeNet:
    """NudeNet's small detector, whose network is in its wheel.

    Raises:
        ConfigError: It is not installed.
    """

    exposed = frozenset(
        {
            "ANUS_EXPOSED",
            "BUTTOCKS_EXPOSED",
            "FEMALE_BREAST_EXPOSED",
            "FEMALE_GENITALIA_EXPOSED",
            "MALE_GENITALIA_EXPOSED",
        }
    )
    """Of its 18 classes, those that count."""
    _batch = 8

    def __init__(self) -> None:
        network = self.network()
        import onnxruntime
        from nudenet import NudeDetector

        self._detector = NudeDetector()
        # Its own session takes every core of the machine, and a worker has one.
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._detector.onnx_session = onnxruntime.InferenceSession(
            str(network), options, providers=["CPUExecutionProvider"]
        )

    @staticmethod
    def network() -> Path:
        """The file of its network, found without importing it.

        Raises:
            ConfigError: It is not installed.
        """
        spec = find_spec("nudenet")
        path = Path(spec.origin).parent / "320n.onnx" if spec is not None and spec.origin is not None else None
        if path is None or not path.is_file():
            raise ConfigError("safety.nudity: nudenet is not installed: pip install 'rushes[nudenet]' (it is AGPL)")
        return path

    def __call__(self, pictures: Sequence[Picture]) -> Sequence[float]:
        """Its highest confidence in any exposed part, for each picture; it reports none below 0.2."""
        # It takes arrays as OpenCV reads them, blue first.
        turned = [np.ascontiguousarray(picture[..., ::-1]) for picture in pictures]
        found = self._detector.detect_batch(turned, batch_size=self._batch)
        return [max((part["score"] for part in parts if part["class"] in self.exposed), default=0.0) for parts in found]


DETECTORS: Mapping[str, type[NudeNet]] = {"nudenet": NudeNet}
"""By their name in the config."""


class Safety:
    """Scorer: what a clip must be kept out for.

    Args:
        config: What to check.
        embedding: The model that makes the embeddings, which the blocklist's must be of.
    """

    name = "safety"
    version = 1
    resources = Resources()

    def __init__(self, config: SafetyConfig, embedding: EmbeddingConfig) -> None:
        self.config = config
        self.embedding = embedding
        self.batch_clips = config.batch_clips
        self.seconds_a_clip = 0.0001 if config.nudity is None else 0.15
        wants = (("pictures", config.nudity), ("embedding", config.blocklist))
        self.needs = frozenset(name for name, value in wants if value is not None)
        self._detector: NudityDetector | None = None
        self._blocked: npt.NDArray[np.float32] | None = None

    def models(self) -> Mapping[str, str]:
        """Digests of the detector's network and of the blocklist.

        Raises:
            ConfigError: One of them is not there or is not what it says.
        """
        digests: dict[str, str] = {}
        if self.config.nudity is not None:
            digests[self.config.nudity] = file_digest(DETECTORS[self.config.nudity].network())
        if self.config.blocklist is not None:
            path = Path(self.config.blocklist)
            width, has = read_blocklist(path).shape[1], find_clip(self.embedding).width
            if width != has:
                raise ConfigError(
                    f"safety.blocklist: {path} holds embeddings of {width} numbers, "
                    f"those of embedding.weights have {has}"
                )
            digests["blocklist"] = file_digest(path)
        return digests

    def setup(self) -> None:
        """Load the detector and the blocklist.

        Raises:
            ConfigError: One of them is not there or is not what it says.
        """
        if self.config.nudity is not None:
            self._detector = DETECTORS[self.config.nudity]()
        if self.config.blocklist is not None:
            self._blocked = read_blocklist(Path(self.config.blocklist))

    def score(self, clips: Sequence[ClipView]) -> Sequence[Mapping[str, object]]:
        """Both scores of each clip; None for what is not checked, and for a clip without pictures or embedding.

        Raises:
            MediaError: An embedding is of another width than the blocklist's.
        """
        nudity = self._nudity(clips)
        return [
            {"nudity_score": naked, "blocklist_similarity": self._similarity(clip)}
            for clip, naked in zip(clips, nudity, strict=True)
        ]

    def _nudity(self, clips: Sequence[ClipView]) -> list[float | None]:
        if self._detector is None:
            return [None] * len(clips)
        found = iter(self._detector([picture for clip in clips for picture in clip.pictures]))
        return [max((round(float(next(found)), 6) for _ in clip.pictures), default=None) for clip in clips]

    def _similarity(self, clip: ClipView) -> float | None:
        if self._blocked is None or clip.embedding is None:
            return None
        width = self._blocked.shape[1]
        if clip.embedding.shape != (width,):
            raise MediaError(
                ErrorKind.preview, f"the embedding has {clip.embedding.size} numbers, those of the blocklist {width}"
            )
        length = float(np.linalg.norm(clip.embedding))
        nearest = float((self._blocked @ clip.embedding).max()) / length if length else float("nan")
        return round(min(max(nearest, -1.0), 1.0), 6) if np.isfinite(nearest) else None


def read_blocklist(path: Path) -> npt.NDArray[np.float32]:
    """The embeddings of a blocklist, (N, width), each brought to unit length.

    Raises:
        ConfigError: There is none, or a row has no direction.
    """
    rows = unit_rows(read_matrix(path, "safety.blocklist"))
    if not np.isfinite(rows).all():
        raise ConfigError(f"safety.blocklist: {path} has a row of zeros")
    return rows

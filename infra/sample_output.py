"""From frames to a file, in one way whoever asked: past the policy, with record, watermark and signature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from infra.policy.gate import Gate, gate_of
from infra.policy.policy import Refusal
from infra.sample_config import SampleConfig
from infra.sample_request import Asked, Given
from trainer.sampling import Frames, ModelSource
from trainer.sampling.provenance import record_of
from trainer.sampling.writing import Output, Press

if TYPE_CHECKING:
    from trainer.sampling.window import Window


@dataclass(frozen=True, slots=True)
class Job:
    """An output to be made."""

    asked: Asked
    given: Given
    first_prompt: str | None = None
    """As the user wrote it, where it was written out."""


class Outgoing:
    """An output under way: each part passes the policy before it is written, and of one that does not nothing stays.

    A context manager: left before its last frames, it leaves nothing behind.

    Args:
        output: The file.
        record: What it says of itself.
        gate: What lets its frames out; everything without it.
        rate: Frames a second.
    """

    def __init__(self, output: Output, record: dict[str, Any], gate: Gate | None, rate: Fraction) -> None:
        self._output, self._gate, self._rate = output, gate, float(rate)
        self.told: dict[str, Any] | Refusal = record
        """The record, or why the policy holds it back."""

    def add(self, frames: Frames, is_last: bool) -> None:
        """Write the next frames, uint8 (F, H, W, 3), display RGB.

        Raises:
            ConfigError: They cannot be written.
        """
        if isinstance(self.told, Refusal):
            return
        refusal = self._gate.frames(frames, self._rate) if self._gate is not None else None
        if refusal is not None:
            self.told = refusal
            self._output.discard()
            return
        self._output.add(frames)
        if is_last:
            self._output.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._output.discard()


class Writer:
    """Writes what a model made.

    Args:
        config: How it was made, and whose mark and signature it gets.
        source: The model.

    Raises:
        ConfigError: The signer cannot sign, or the policy cannot be read.
    """

    def __init__(self, config: SampleConfig, source: ModelSource) -> None:
        self._config, self._source = config, source
        self._press = Press(config.provenance)
        self._gate = gate_of(config.policy)
        if self._gate is not None:
            self._gate.setup()

    def open(self, job: Job, num_frames: int, *, draft: bool) -> Outgoing:
        """An output that is written as its frames come.

        Args:
            job: What was asked for.
            num_frames: How many there will be.
            draft: Whether it was made small first.
        """
        return self._open(job.asked.out, self._record(job, num_frames, draft=draft))

    def write(self, job: Job, frames: Frames, *, draft: bool) -> dict[str, Any] | Refusal:
        """Write an output whose frames are all there; give its record, or why the policy holds it back.

        Args:
            job: What was asked for.
            frames: uint8 (F, H, W, 3), display RGB.
            draft: Whether it was made small first.

        Raises:
            ConfigError: It cannot be written.
        """
        with self.open(job, len(frames), draft=draft) as outgoing:
            outgoing.add(frames, is_last=True)
            return outgoing.told

    def write_draft(self, path: Path, window: Window, frames: Frames) -> dict[str, Any] | Refusal:
        """Write the small draft of a window, as `write`."""
        # An MP4 has even sides.
        height, width = (side - side % 2 for side in frames.shape[1:3])
        record = record_of({"prompt": window.prompt, "seed": window.seed, "is_draft": True})
        with self._open(path, record) as outgoing:
            outgoing.add(frames[:, :height, :width], is_last=True)
            return outgoing.told

    def _open(self, path: Path, record: dict[str, Any]) -> Outgoing:
        config = self._config
        return Outgoing(Output(path, config.rate, config.crf, record, self._press), record, self._gate, config.rate)

    def _record(self, job: Job, num_frames: int, *, draft: bool) -> dict[str, Any]:
        """What is written into an output."""
        config, source, request = self._config, self._source, job.given.request
        about: dict[str, Any] = {
            "model_digest": source.digest,
            "model_step": source.step,
            "autoencoder_digest": source.autoencoder.digest,
            "text_encoder_digest": source.text_encoder.digest if source.text_encoder else None,
            "prompt": request.prompt,
            "seed": request.seed,
            "mode": request.mode.value,
            "width": request.size.width,
            "height": request.size.height,
            "num_frames": num_frames,
            "frame_rate": list(config.rate.as_integer_ratio()),
            "solver": config.solver.model_dump(mode="json"),
            "guidance": config.guidance.model_dump(mode="json"),
            "config_digest": config.output_digest(),
            "has_watermark": config.provenance.watermark,
            "policy_digest": self._gate.policy.digest if self._gate is not None else None,
        }
        if job.first_prompt is not None:
            about["prompt_as_written"] = job.first_prompt
        if job.given.files:
            about["given"] = list(job.given.files)
        if request.shots:
            about["shots"] = [asdict(shot) for shot in request.shots]
        if request.region is not None:
            about["region"] = list(request.region)
        if request.mode.value == "edit":
            about["strength"] = request.strength
        if request.variation:
            about |= {"variation": request.variation, "variation_seed": request.variation_seed}
        if draft:
            about["draft"] = config.draft.model_dump(mode="json")
        return record_of(about)


class Drafts:
    """Writes small drafts beside an output as they come.

    Args:
        out: The output.
        writer: Writes them.
        say: Told of each.
    """

    def __init__(self, out: Path, writer: Writer, say: Callable[[str], None]) -> None:
        self._out, self._writer, self._say = out, writer, say
        self._count = 0

    def __call__(self, window: Window, frames: Frames) -> None:
        """Write the draft of a window.

        Raises:
            ConfigError: It cannot be written.
        """
        number = "" if self._count == 0 else f"-{self._count + 1}"
        path = self._out.with_name(f"{self._out.stem}.draft{number}{self._out.suffix}")
        written = self._writer.write_draft(path, window, frames)
        if isinstance(written, Refusal):
            self._say(f"draft: {written}")
            return
        self._count += 1
        self._say(f"draft: {path}")

"""Train a captioner: a step is a pure function of its number, so that a stop loses nothing."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from captioner.config import FramesConfig
from captioner.finetune.answers import read_answers
from captioner.finetune.batches import BatchPlan, Shape, pick_text, shares
from captioner.finetune.checkpoint import WEIGHTS, Progress, newest, rank_file, save, seal
from captioner.finetune.config import FinetuneConfig, PhaseConfig
from captioner.finetune.engine import Engine, Ranks, joined_ranks, set_weights
from captioner.finetune.examples import Examples
from captioner.finetune.feeder import Asked, Feeder
from captioner.finetune.journal import Journal
from captioner.finetune.lora import merged, with_lora
from captioner.finetune.pairs import CaptionPair, answered
from captioner.finetune.schedule import learning_rate
from captioner.finetune.segments import batch_segments
from captioner.finetune.start import load_start, start_folder
from captioner.frames import OpenSource, fit_size
from captioner.prompt import find_prompt
from pipeline.media import MediaLimits
from schemas import ConfigError, MediaError, digest

MODEL_FOLDER = "model"
Say = Callable[[str], None]


def finetune(
    config: FinetuneConfig,
    learnt: Sequence[CaptionPair],
    kept: Sequence[CaptionPair],
    out: Path,
    *,
    limits: MediaLimits,
    open_source: OpenSource,
    say: Say,
) -> Path:
    """Train, going on from the checkpoint in `out` where there is one, and save the model.

    Args:
        config: How.
        learnt: What to learn from.
        kept: What to measure the loss on; may be empty.
        out: Gets `model/` (what every engine loads; `phase-1/` and so on are what it was before), `steps.jsonl`,
            `heldout.jsonl`, `unreadable.jsonl`, `checkpoints/`.
        limits: What a decoder may use.
        open_source: How a uri becomes a path.
        say: Told of the progress, on the first rank.

    Returns:
        The model's folder.

    Raises:
        ConfigError: The model, the captions or the checkpoint do not fit the config.
    """
    _check(config, learnt)
    with ExitStack() as stack:
        ranks = stack.enter_context(joined_ranks())
        training = Training(config, learnt, kept, out, ranks, limits, open_source, say if ranks.is_first else _silent)
        stack.callback(training.close)
        training.run()
        return training.export(MODEL_FOLDER)


class Training:
    """One rank's part of a training; the arguments are those of `finetune`, and which rank this is."""

    def __init__(
        self,
        config: FinetuneConfig,
        learnt: Sequence[CaptionPair],
        kept: Sequence[CaptionPair],
        out: Path,
        ranks: Ranks,
        limits: MediaLimits,
        open_source: OpenSource,
        say: Say,
    ) -> None:
        import torch

        if config.threads is not None:
            torch.set_num_threads(config.threads)
        self._config, self._learnt, self._kept, self._out, self._ranks, self._say = (
            config,
            learnt,
            kept,
            out,
            ranks,
            say,
        )
        self._prompts = {phase.prompt: find_prompt(phase.prompt).text for phase in config.phases}
        texts = (text for pair in learnt for kind in sorted(pair.texts) for text in pair.texts[kind])
        self._base = start_folder(config, [*self._prompts.values(), *texts], out, ranks)
        self._model = load_start(self._base, config)
        if config.lora is not None:
            self._model = with_lora(self._model, config.lora)
        self._run = digest([_identity(config, self._base.digest), [_taught(pair) for pair in (*learnt, *kept)]])
        try:
            found = newest(out / "checkpoints", self._run, ranks.count)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        if found is not None:
            set_weights(self._model, found.weights())
        batch_segments(self._model.get_base_model() if config.lora is not None else self._model)
        self._progress = found.progress if found is not None else Progress()
        self._engine = Engine(config, self._model.to(ranks.device), ranks)
        if found is not None:
            self._engine.resume(found.states(ranks.rank))
        self._journal = Journal(out, self._progress.step, is_writer=ranks.is_first)
        text_config = self._base.config.get("text_config") or self._base.config
        examples = Examples(self._base.path, _end_token(self._model), int(text_config["max_position_embeddings"]))
        self._feeder = partial(
            Feeder,
            examples=examples,
            readers=config.readers,
            limits=limits,
            open_source=open_source,
            unreadable=self._unreadable,
        )

    def run(self) -> None:
        """All phases, from where the training stands."""
        end = 0
        for number, phase in enumerate(self._config.phases):
            start, end = end, end + phase.steps
            if self._progress.step >= end:
                continue
            if self._progress.step == start:
                self._progress = Progress(step=start)
            self._say(f"phase {number + 1} of {len(self._config.phases)}: {phase.prompt}, steps {start} to {end}")
            self._run_phase(phase, start, end)
            self._progress = Progress(step=end)
            if number + 1 < len(self._config.phases):
                self.export(f"phase-{number + 1}")
            self._save()

    def export(self, name: str) -> Path:
        """Write the model, as it is now, in the form that engines load; give its folder."""
        import torch

        folder = self._out / name
        if self._ranks.is_first:
            model = merged(self._engine.model) if self._config.lora is not None else self._engine.model
            if self._config.saved_as is not None:
                model = deepcopy(model).to(getattr(torch, self._config.saved_as))
            part = self._out / f"part-{name}"
            shutil.rmtree(part, ignore_errors=True)
            # Its tokenizer, its processor and its templates are those of the model that it began as.
            shutil.copytree(self._base.path, part, ignore=shutil.ignore_patterns("*.safetensors", "*.index.json"))
            model.save_pretrained(part)
            shutil.rmtree(folder, ignore_errors=True)
            part.rename(folder)
        self._engine.wait()
        return folder

    def close(self) -> None:
        """Let go of files."""
        self._journal.close()

    def _run_phase(self, phase: PhaseConfig, start: int, end: int) -> None:
        config = self._config
        pairs, held_out = pairs_of(phase, self._learnt), pairs_of(phase, self._kept)
        frames = phase.frames or config.frames
        plan = BatchPlan([_shape(pair, frames) for pair in pairs], config.batch_size, config.seed + start)
        feeder = self._feeder(pairs, frames)
        began, done = time.monotonic(), 0
        try:
            for step, batches in zip(
                range(self._progress.step, end), feeder(self._asked(plan, phase, start, end)), strict=False
            ):
                rate = learning_rate(
                    step,
                    peak=config.learning_rate,
                    warmup_steps=config.warmup_steps,
                    num_steps=config.num_steps,
                    decay_ratio=config.decay_ratio,
                )
                loss = self._engine.update(batches, rate)
                self._progress = replace(self._progress, step=step + 1)
                batch = plan[step - start]
                clip_ids = digest([pairs[index].span.clip_id for index in batch.indexes])
                self._journal.step(
                    step=step, loss=loss, rate=rate, num_clips=len(batch.indexes), clip_ids_digest=clip_ids
                )
                done += len(batch.indexes)
                rate_clips = done / (time.monotonic() - began)
                self._say(f"step {step + 1} of {config.num_steps}: loss {loss:.4f}, {rate_clips:.1f} clips/s")
                if (step + 1 - start) % config.evaluate_steps == 0 or step + 1 == end:
                    self._measure(phase, held_out)
                    if config.patience and self._progress.misses >= config.patience:
                        self._say(
                            f"no better for {self._progress.misses} measurements: the phase ends at step {step + 1}"
                        )
                        return
                if (step + 1) % config.checkpoint_steps == 0:
                    self._save()
        finally:
            feeder.close()

    def _asked(self, plan: BatchPlan, phase: PhaseConfig, start: int, end: int) -> Iterator[Asked]:
        """This rank's share of every step that is left of a phase."""
        for step in range(self._progress.step, end):
            batch = plan[step - start]
            share = shares(batch.indexes, self._ranks.count, self._config.micro_batch_size)[self._ranks.rank]
            yield share, self._wording(phase, batch.epoch)

    def _wording(self, phase: PhaseConfig, epoch: int) -> Callable[[CaptionPair], tuple[str, str]]:
        prompt, seed = self._prompts[phase.prompt], self._config.seed
        return lambda pair: (prompt, pick_text(pair, phase, epoch, seed))

    def _measure(self, phase: PhaseConfig, pairs: Sequence[CaptionPair]) -> None:
        """Measure the loss on what is kept back."""
        if not pairs:
            return
        size = self._config.batch_size
        frames = phase.frames or self._config.frames
        plan = BatchPlan([_shape(pair, frames) for pair in pairs], size, 0)
        feeder = self._feeder(pairs, frames)
        asked = (
            (shares(plan[step].indexes, self._ranks.count, size)[self._ranks.rank], self._wording(phase, 0))
            for step in range(plan.steps_per_epoch)
        )
        total = num_tokens = 0.0
        try:
            for batches in feeder(asked):
                loss, count = self._engine.loss(batches)
                total, num_tokens = total + loss, num_tokens + count
        finally:
            feeder.close()
        loss = total / max(num_tokens, 1.0)
        best = self._progress.best
        is_better = best is None or loss < best
        self._progress = replace(
            self._progress, best=loss if is_better else best, misses=0 if is_better else self._progress.misses + 1
        )
        self._journal.held_out(step=self._progress.step, prompt=phase.prompt, loss=loss)
        self._say(f"step {self._progress.step}: {loss:.4f} on {len(pairs)} clips that were kept back")

    def _save(self) -> None:
        folder, step, ranks = self._out / "checkpoints", self._progress.step, self._ranks
        tensors = {rank_file(ranks.rank): self._engine.states()}
        if ranks.is_first:
            tensors[WEIGHTS] = self._engine.weights()
        save(folder, step, tensors)
        self._journal.flush()
        self._engine.wait()
        if ranks.is_first:
            seal(folder, self._progress, self._run, ranks.count)
        self._engine.wait()

    def _unreadable(self, clip_id: str, error: MediaError) -> None:
        self._journal.unreadable(clip_id=clip_id, error_kind=error.kind.value, error=str(error))


def _shape(pair: CaptionPair, frames: FramesConfig) -> Shape:
    """What the model sees of a clip."""
    width, height = fit_size(pair.span.crop[2], pair.span.crop[3], frames.max_pixels, frames.grid_px)
    return 1 if pair.video.probed().is_image else frames.num_frames, height, width


def pairs_of(phase: PhaseConfig, pairs: Sequence[CaptionPair]) -> list[CaptionPair]:
    """The clips from which a phase learns, with what it learns.

    Raises:
        ConfigError: A file that the phase names is wrong.
    """
    if phase.answers:
        answers = read_answers(phase.answers, "phases.answers")
        pairs = [pair for each in pairs if (pair := answered(each.video, each.span, answers)) is not None]
    return [pair for pair in pairs if any(pair.texts.get(kind) for kind in phase.kinds)]


def _check(config: FinetuneConfig, pairs: Sequence[CaptionPair]) -> None:
    """Refuse a phase that has nothing to learn from."""
    for phase in config.phases:
        if not pairs_of(phase, pairs):
            wanted = ", ".join(kind.value for kind in phase.kinds)
            raise ConfigError(f"phases: none of {len(pairs)} clips has a caption of kind {wanted}, for {phase.prompt}")


def _identity(config: FinetuneConfig, base: str) -> list[Any]:
    """What another run may not differ in to go on from a checkpoint; the last phase may be prolonged."""
    *before, last = config.phases
    endless = config.model_copy(update={"phases": (*before, last.model_copy(update={"steps": 1}))})
    return [base, endless.output_digest()]


def _taught(pair: CaptionPair) -> list[Any]:
    return [pair.span.clip_id, sorted((kind.value, list(texts)) for kind, texts in pair.texts.items())]


def _end_token(model: Any) -> int:
    ends = model.generation_config.eos_token_id
    return int(ends if isinstance(ends, int) else ends[0])


def _silent(text: str) -> None:
    """Say nothing: another rank does."""

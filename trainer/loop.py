"""The training of a diffusion transformer, from a dataset's shards to an exported model."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import Protocol

import torch

from pipeline.shards import ShardStore
from schemas import ConfigError
from trainer import checkpoint
from trainer.batch import Batch
from trainer.config import TrainConfig
from trainer.data import PackReader, RankStep
from trainer.distributed import Ranks, rank_of_environment, ranks
from trainer.ema import Ema
from trainer.engine import Engine
from trainer.export import export
from trainer.flow import token_losses
from trainer.held_out import HeldOut, linear_predictor
from trainer.incidents import Incidents
from trainer.metrics import StepRecord, boards, peak_flops
from trainer.model.dit import DiT, DiTParams
from trainer.model.flops import TRAINED_OVER_FORWARD
from trainer.model.ulysses import sequence_group
from trainer.optimizer import rate_at
from trainer.prepare import check_fit, patch_channels, pin, split
from trainer.run_folder import HELD_OUT, STEPS, Pinned, RunFolder
from trainer.saver import Saver
from trainer.state import pieces_of, restore, scalars_of
from trainer.steps import Steps, clips_digest

Report = Callable[[StepRecord], None]

MODEL_FOLDER = "model"


class Show(Protocol):
    """Makes something with the model while it trains."""

    def begin(self, pinned: Pinned) -> None:
        """Check, before the first step, that it will be able to.

        Raises:
            ConfigError: It will not.
        """

    def __call__(self, model: Path, step: int) -> None:
        """Make it with the exported model of a step."""


def train(
    config: TrainConfig, dataset: str, out: Path, *, resume: bool, report: Report, show: Show | None = None
) -> None:
    """Train, or go on where the run was stopped.

    Args:
        config: How.
        dataset: A dataset with shards.
        out: The run's folder.
        resume: Whether a run that is there goes on.
        report: Told of each step, on the first rank.
        show: Makes samples on the first rank, each `samples.every_steps`; without it none are made.

    Raises:
        ConfigError: The config, the dataset and the folder do not go together, or the training came to nothing.
    """
    if config.engine.threads is not None:
        torch.set_num_threads(config.engine.threads)
    folder = RunFolder(out)
    rank, num_ranks = rank_of_environment()
    if rank == 0:
        # Before DeepSpeed is imported, so that a mistake is told at once.
        begin(folder, config, dataset, resume=resume, num_ranks=num_ranks, show=show)
    with ranks() as joined:
        joined.wait()
        Training(config, dataset, folder, folder.load(config), joined, show).run(report)


def begin(
    folder: RunFolder, config: TrainConfig, dataset: str, *, resume: bool, num_ranks: int, show: Show | None = None
) -> None:
    """Pin what a new run trains on, or check that there is a run to go on with.

    Raises:
        ConfigError: There is a run and nobody asked to go on with it, or config and samples do not go together.
    """
    if folder.is_started and not resume:
        raise ConfigError(f"{folder.path}: holds a run; --resume goes on with it, or name another --out")
    pinned = folder.load(config) if folder.is_started else pin(dataset, config)
    learnt, _ = split(pinned.rows, config)
    check_fit(learnt, config, num_ranks, reads_text=pinned.text_width > 0)
    if show is not None:
        show.begin(pinned)
    if not folder.is_started:
        folder.start(config, pinned)


class Training:
    """A run on one rank.

    Args:
        config: How.
        dataset: Where the shards lie.
        folder: The run's.
        pinned: What it trains on.
        ranks: This process among all.
        show: Makes samples.
    """

    def __init__(
        self,
        config: TrainConfig,
        dataset: str,
        folder: RunFolder,
        pinned: Pinned,
        ranks: Ranks,
        show: Show | None = None,
    ) -> None:
        self._config, self._folder, self._pinned, self._ranks, self._show = config, folder, pinned, ranks, show
        self._run = folder.run_digest(config, pinned)
        widths = {"patch_channels": patch_channels(config, pinned), "text_width": pinned.text_width}
        learnt, held = split(pinned.rows, config)
        self._learnt = learnt
        self._steps = Steps(learnt, config, **widths)
        self._sequence = sequence_group(config.engine.sequence_ranks)
        # Ranks that share their sequences count as one where samples are shared out.
        team, num_teams = (number // config.engine.sequence_ranks for number in (ranks.rank, ranks.count))
        self._num_batches = -(-config.packing.packs_per_step // num_teams)
        self._store = store = ShardStore(dataset)
        self._reader = PackReader(store, self._steps, config, rank=team, num_ranks=num_teams, **widths)
        self._held_out = HeldOut(store, held, config, self._sequence, **widths)
        self._params = DiTParams.of(config.model, **widths)
        self._incidents = Incidents(config, folder, ranks, self._sequence)
        self._done = 0
        self._forward_s = 0.0
        self._all_written = False
        self._build()
        self._saver = Saver(
            folder.path, run=self._run, shapes=self._engine.shapes, keep=config.checkpoint.keep, ranks=ranks
        )
        dtype = torch.bfloat16 if config.engine.precision == "bf16" else torch.float32
        self._peak = peak_flops(config.log, ranks.device, dtype) * ranks.count
        self._boards = boards(config.log, folder.path) if ranks.is_first else []

    def _build(self) -> None:
        """Make model, engine and mean, and take up the newest checkpoint."""
        config, ranks = self._config, self._ranks
        torch.manual_seed(config.seed)
        model = DiT(self._params, checkpointed=config.engine.checkpointing)
        found = self._newest()
        pieces = checkpoint.Pieces(found) if found is not None else None
        if pieces is not None:
            model.load_state_dict(dict(pieces.whole(checkpoint.WEIGHT)))
        self._engine = Engine(
            model,
            config.engine,
            config.optimizer,
            width=self._params.width,
            num_batches=self._num_batches,
            ranks=ranks,
        )
        self._ema = Ema(self._engine.partitions(), config.ema_decay) if config.ema_decay else None
        if pieces is not None:
            with pieces:
                state = pieces.about.state
                restore(self._engine, self._ema, pieces, state["optimizer"])
                self._incidents.restore(state["incidents"])
                self._done = pieces.about.step
        if ranks.is_first:
            self._folder.cut_back(self._done)

    def _newest(self) -> Path | None:
        """The checkpoint to go on from, the same for all ranks.

        Raises:
            ConfigError: It is of another run.
        """
        found = checkpoint.newest(self._folder.path, _warn) if self._ranks.is_first else None
        name: str | None = self._ranks.gather(found.name if found else None)[0]
        if name is None:
            return None
        path = self._folder.path / checkpoint.FOLDER / name
        if checkpoint.read_about(path).run != self._run:
            raise ConfigError(f"{path}: is of a run with another config or other samples; name another --out")
        return path

    def run(self, report: Report) -> None:
        """Take all steps that are left, and export the model.

        Raises:
            ConfigError: The training came to nothing, or too many samples are damaged.
        """
        config = self._config
        with self._reader:
            work = self._reader.after(self._done)
            while self._done < config.steps:
                started = time.perf_counter()
                step = next(work)
                record = self._step(step, started, time.perf_counter() - started)
                self._done += 1
                self._log(record, report)
                if self._all_written:
                    self._saver.finish()
                if self._is_due(config.held_out.every_steps):
                    self._measure()
                is_shown = self._show is not None and self._is_due(config.samples.every_steps)
                if is_shown or self._is_due(config.checkpoint.every_steps):
                    self._save()
                if is_shown:
                    self._make_samples()
        self._saver.finish()
        if self._ranks.is_first:
            self._export()
            for board in self._boards:
                board.close()

    def _export(self) -> Path:
        """The model of the newest checkpoint, for others to read."""
        newest = checkpoint.newest(self._folder.path, _warn)
        assert newest is not None
        model = self._folder.path / MODEL_FOLDER
        export(newest, self._config, self._pinned, self._params, model)
        return model

    def _make_samples(self) -> None:
        self._saver.finish()
        if self._ranks.is_first:
            assert self._show is not None
            self._show(self._export(), self._done)
        self._ranks.wait()

    def _is_due(self, every_steps: int) -> bool:
        return self._done % every_steps == 0 or self._done == self._config.steps

    def _step(self, work: RankStep, started: float, waited_s: float) -> StepRecord:
        """One update of the weights."""
        config, ranks, number = self._config, self._ranks, self._done + 1
        batches = [batch.own(self._sequence).to(ranks.device) for batch in work.batches]
        (num_learnt,) = ranks.sums(sum(batch.num_learnt for batch in batches))
        bad = self._incidents.samples(number, work)
        self._forward_s = 0.0
        losses = [self._learn(batch, num_learnt, is_last=batch is batches[-1]) for batch in batches]
        limit, rate = self._incidents.limit, rate_at(self._done, config.steps, config.optimizer)
        norm = self._engine.step(rate, limit)
        self._incidents.gradient(number, norm, batches, losses)
        if self._ema is not None and math.isfinite(norm):
            self._ema.update(number)
        loss, forward_s, num_written = ranks.sums(
            sum(float(part.sum()) for part in losses) / max(num_learnt, 1),
            self._forward_s,
            float(self._saver.is_written),
        )
        self._all_written = num_written == ranks.count
        slowest_s, wait_s, elapsed_s = ranks.most(self._forward_s, waited_s, time.perf_counter() - started)
        seen = self._steps.seen(work.plan, bad)
        return StepRecord(
            step=number,
            epoch=work.plan.epoch.number,
            loss=loss,
            tokens=seen.num_tokens,
            useful_tokens_per_s=seen.num_tokens / elapsed_s,
            waste=1 - seen.num_tokens / (len(work.plan.packs) * config.packing.token_budget),
            mfu=TRAINED_OVER_FORWARD * seen.cost / (elapsed_s * self._peak),
            data_wait_s=wait_s,
            straggler=slowest_s * ranks.count / forward_s - 1,
            grad_norm=norm,
            grad_limit=limit,
            learning_rate=rate,
            elapsed_s=elapsed_s,
            num_samples=len(seen.clip_ids),
            num_bad=len(bad),
            clip_ids_digest=clips_digest(seen.clip_ids),
        )

    def _learn(self, batch: Batch, num_learnt: float, *, is_last: bool) -> torch.Tensor:
        """Add the gradients of a batch; give the loss of each token, 0 for given ones."""
        started = time.perf_counter()
        said = self._engine(batch.packed)
        if said.is_cuda:
            torch.cuda.synchronize()
        self._forward_s += time.perf_counter() - started
        losses = token_losses(said, batch.clean_LP, batch.noise_LP, batch.time_L1, self._config.flow) * batch.weight_L
        self._engine.backward(losses.sum() / max(num_learnt, 1))
        if not is_last:
            self._engine.next_batch()
        return losses.detach()

    def _log(self, record: StepRecord, report: Report) -> None:
        if self._ranks.is_first:
            self._folder.append(STEPS, record.to_json())
            figures = {name: value for name, value in record.to_json().items() if isinstance(value, int | float)}
            for board in self._boards:
                board.add(record.step, figures)
            report(record)

    def _measure(self) -> None:
        # What is exported is the mean, so that is what is measured.
        self._engine.module.eval()
        with self._ema.shown_by(self._engine) if self._ema is not None else nullcontext():
            found = self._held_out.measure(self._engine, self._ranks)
        self._engine.module.train()
        if found is not None and found["loss"] is not None and self._linear_loss is not None:
            found["loss_over_linear"] = found["loss"] / self._linear_loss
        if found is not None and self._ranks.is_first:
            self._folder.append(HELD_OUT, {"step": self._done, **found})
            for board in self._boards:
                figures = ("loss", "loss_over_linear")
                board.add(self._done, {f"held_out_{name}": found[name] for name in figures if name in found})

    @cached_property
    def _linear_loss(self) -> float | None:
        """That of the best linear predictor on the same trials; None where nothing could be read."""
        predictor = linear_predictor(self._store, self._learnt, self._config)
        if predictor is None:
            return None
        found = self._held_out.measure(predictor.to(self._ranks.device), self._ranks)
        return found["loss"] if found is not None else None

    def _save(self) -> None:
        state = {"optimizer": scalars_of(self._engine), "incidents": self._incidents.to_json()}
        self._saver.begin(pieces_of(self._engine, self._ema), step=self._done, state=state)
        if not self._config.checkpoint.beside:
            self._saver.finish()


def _warn(text: str) -> None:
    print(f"rushes: {text}", file=sys.stderr, flush=True)  # noqa: T201

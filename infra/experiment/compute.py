"""The same model trained for longer: how the loss and the quality of its videos follow compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from infra.experiment.commands import ASPECTS, Judged, Say, make_films, make_shards, train_and_judge
from infra.experiment.config import ExperimentConfig
from infra.experiment.means import fit_power_law, mean_of
from infra.experiment.plot import Curves, draw_curves
from infra.experiment.report import Result, write


def measure_compute(config: ExperimentConfig, say: Say) -> Result:
    """Train and judge all models, and write `compute.json`, `.md` and `.svg` to `out`.

    A seed's longer trainings are its shorter one gone on with, which a constant rate allows.

    Args:
        config: The experiment's.
        say: Told of the progress.

    Raises:
        ConfigError: A step fails.
    """
    films, dataset = config.out / "films-native", config.out / "dataset-native"
    make_films(config, films, say, is_square=False)
    make_shards(config, films, dataset, say)
    found: dict[int, list[Judged]] = {factor: [] for factor in config.factors}
    for seed in config.seeds:
        for factor in config.factors:
            run = config.out / f"compute-{seed}"
            found[factor].append(train_and_judge(config, dataset, run, seed, factor * config.base_steps, say))
    law = None
    if len(found) > 1:
        points = [(factor, model.held_out) for factor, models in found.items() for model in models]
        law = fit_power_law([x for x, _ in points], [y for _, y in points])
    result = Result("compute", _table(found), {f"{factor}x": models for factor, models in found.items()})
    if law is not None:
        result.notes.append(f"held-out loss = {law.scale:.4f} * compute ^ {law.exponent:.4f} ± {law.error:.4f}")
    curves = Curves(
        x=list(found),
        loss=[mean_of([model.held_out for model in models]) for models in found.values()],
        law=law,
        scores={
            aspect: [mean_of([model.scores[aspect] for model in models]) for models in found.values()]
            for aspect in _shared(found)
        },
        title=f"Base: {config.base_steps} steps; {len(config.seeds)} seeds, {config.num_prompts} videos each",
    )
    write(config.out, result, draw_curves(curves))
    return result


def _shared(found: Mapping[int, Sequence[Judged]]) -> list[str]:
    """Aspects by which every model was judged."""
    return [name for name in ASPECTS if all(name in model.scores for models in found.values() for model in models)]


def _table(found: Mapping[int, Sequence[Judged]]) -> list[Sequence[str]]:
    names = _shared(found)
    rows: list[Sequence[str]] = [("compute", "steps", "tokens, millions", "minutes", "held-out loss", *names)]
    for factor, models in found.items():
        scores = [str(mean_of([model.scores[name] for model in models])) for name in names]
        tokens, minutes = (mean_of([value / unit for value in values]) for values, unit in (
            ([model.tokens for model in models], 1e6),
            ([model.seconds for model in models], 60.0),
        ))  # fmt: skip
        loss = mean_of([model.held_out for model in models])
        rows.append(
            (f"{factor}x", str(models[0].steps), f"{tokens.value:.2f}", f"{minutes.value:.1f}", str(loss), *scores)
        )
    return rows

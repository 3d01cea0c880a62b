"""Two models, same films and same tokens: one sees them at their native sizes, one cropped to squares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from infra.experiment.commands import ASPECTS, Judged, Say, make_films, make_shards, train_and_judge
from infra.experiment.config import ExperimentConfig
from infra.experiment.means import mean_of
from infra.experiment.plot import Bars, draw_bars
from infra.experiment.report import Result, write

NATIVE, SQUARE = "native sizes", "square crops"
_FOLDERS = {NATIVE: "native", SQUARE: "square"}
_NAMES = {
    "framed": "subject whole in the picture",
    "color": "colour",
    "shape": "shape",
    "motion": "direction of motion",
}


_COSTS: Mapping[str, Callable[[Judged], float]] = {
    "loss on held-out films of their own": lambda model: model.held_out,
    "tokens, millions": lambda model: model.tokens / 1e6,
    "minutes of training": lambda model: model.seconds / 60,
}


@dataclass(frozen=True, slots=True)
class _Models:
    """Of one way of cropping, one for each seed."""

    judged: Sequence[Judged]

    def scores(self, aspect: str) -> list[float]:
        return [model.scores[aspect] for model in self.judged if aspect in model.scores]


def measure_native_vs_square(config: ExperimentConfig, say: Say) -> Result:
    """Train and judge all models, and write `native-vs-square.json`, `.md` and `.svg` to `out`.

    Both are judged at native sizes. A pack has the same number of tokens either way, so that a model of squares sees
    more clips in the same compute.

    Args:
        config: The experiment's.
        say: Told of the progress.

    Raises:
        ConfigError: A step fails.
    """
    found: dict[str, _Models] = {}
    for name, folder in _FOLDERS.items():
        films, dataset = config.out / f"films-{folder}", config.out / f"dataset-{folder}"
        make_films(config, films, say, is_square=name == SQUARE)
        make_shards(config, films, dataset, say)
        found[name] = _Models(
            [
                train_and_judge(config, dataset, config.out / f"{folder}-{seed}", seed, config.compared_steps, say)
                for seed in config.seeds
            ]
        )
    result = Result("native-vs-square", _table(found), {name: models.judged for name, models in found.items()})
    aspects = [aspect for aspect in ASPECTS if all(models.scores(aspect) for models in found.values())]
    bars = Bars(
        groups=[_NAMES[aspect] for aspect in aspects],
        series={name: [mean_of(models.scores(aspect)) for aspect in aspects] for name, models in found.items()},
        ceilings=[found[NATIVE].judged[0].ceilings[aspect] for aspect in aspects],
        title=f"Trained for {config.compared_steps} steps, judged at native sizes; {len(config.seeds)} seeds each",
    )
    write(config.out, result, draw_bars(bars))
    return result


def _table(found: Mapping[str, _Models]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("", *found, "rendered footage")]
    for aspect in ASPECTS:
        if all(models.scores(aspect) for models in found.values()):
            means = [str(mean_of(models.scores(aspect))) for models in found.values()]
            rows.append((_NAMES[aspect], *means, f"{found[NATIVE].judged[0].ceilings[aspect]:.3f}"))
    for name, value in _COSTS.items():
        means = [str(mean_of([value(model) for model in models.judged])) for models in found.values()]
        rows.append((name, *means, ""))
    return rows

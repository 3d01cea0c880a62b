"""Forms come in: everything that can be known before a model is asked is checked now, by what the command line uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from infra.policy.gate import gate_of
from infra.sample_config import SampleConfig
from infra.sample_request import Asked, Given, given_of
from infra.studio.form import Form, Reference, asked_of, references_of, told
from infra.studio.history import History, new_id
from infra.studio.line import Order
from infra.studio.references import References
from infra.studio.worker import Worker
from schemas import ConfigError
from trainer.sampling import Request, Size, check
from trainer.sampling.plan import gib

_COPIES = 3
"""Of the frames that are given, in 8 bit, while they are read."""


class Intake:
    """Makes orders of forms.

    Args:
        config: How the model is asked.
        references: Uploads that a form may name.
        history: Results that a form may name, and where those of the form will lie.
        worker: Says what requests cost.
    """

    def __init__(self, config: SampleConfig, references: References, history: History, worker: Worker) -> None:
        self._config, self._references, self._history = config, references, history
        self._worker = worker

    def take(self, form: Form) -> tuple[list[Order], list[str]]:
        """What a form asks for, and what is to be said of it.

        Raises:
            ConfigError: It cannot be made, or the policy refuses it.
        """
        references = references_of(form, self.reference)
        suffix = ".mp4" if form.is_video(references[0] if references else None) else ".png"
        names = [new_id() for _ in range(form.results)]
        outs = [self._history.folder / f"{name}{suffix}" for name in names]
        asked = [asked_of(form, references, out, number) for number, out in enumerate(outs)]
        try:
            self._check_room(asked[0], references)
            given = self._checked(asked, draft=form.draft)
        except ConfigError as error:
            raise ConfigError(told(str(error), asked[0])) from error
        # JavaScript's numbers are too short for a seed.
        values = {**form.model_dump(mode="json"), "seed": str(form.seed), "variation_seed": str(form.variation_seed)}
        orders = [
            Order(id=name, set_id=names[0], number=number, asked=one, form=values, draft=form.draft)
            for number, (name, one) in enumerate(zip(names, asked, strict=True))
        ]
        return orders, [told(note, asked[0]) for note in given.notes]

    def _check_room(self, asked: Asked, references: Sequence[Reference]) -> None:
        """Refuse what is too much before it is decoded at the size that is made.

        Raises:
            ConfigError: It is too much.
        """
        if not references:
            return
        native = Size(references[0].width, references[0].height)
        config, size = self._config, native if asked.size is None else Size.parse(asked.size)
        check(Request(prompt=asked.prompt, size=size), config)
        lengths = [1 if one.is_image else config.frames(one.seconds or config.max_seconds) for one in references]
        num_bytes = _COPIES * 3.0 * sum(lengths) * size.width * size.height
        if num_bytes > self._worker.available_bytes:
            raise ConfigError(
                f"this device cannot hold what is asked for: what is given takes {gib(num_bytes)} at "
                f"{size.width}x{size.height}, and there are {gib(self._worker.available_bytes)}"
            )

    def _checked(self, asked: Sequence[Asked], *, draft: bool) -> Given:
        """Read what is given, once: the results of a form differ in their noise alone.

        Raises:
            ConfigError: It cannot be made, or the policy refuses it.
        """
        given = given_of(asked[0], self._config)
        gate = gate_of(self._config.policy)
        refusal = gate.prompts([asked[0].prompt])[0] if gate is not None else None
        if refusal is not None:
            raise ConfigError(f"the prompt is {refusal}")
        for one in asked:
            noise = {name: getattr(one, name) for name in ("seed", "variation", "variation_seed")}
            check(replace(given.request, **noise), self._config)
        self._worker.plan_of([given.request], draft=draft).refuse()
        return given

    def reference(self, name: str) -> Reference | None:
        """What an id of a form stands for; None where it stands for nothing."""
        kind, _, rest = name.partition("/")
        if kind == "given":
            return self._references.find(rest)
        return self._history.reference(rest) if kind == "made" else None

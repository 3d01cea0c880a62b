"""Forms come in: everything that can be known before a model is asked is checked now, by what the command line uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from infra.expansion import job_of
from infra.prompts import check_judged, named
from infra.sample_config import SampleConfig
from infra.sample_output import Job
from infra.sample_request import Asked, given_of
from infra.studio.form import FieldError, Form, Reference, asked_of, field_of, references_of, told
from infra.studio.history import History, new_id
from infra.studio.line import Order
from infra.studio.references import References
from infra.studio.worker import Worker
from schemas import ConfigError
from trainer.sampling import check


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
            job = self._checked(asked, form)
        except ConfigError as error:
            raise _told_of(form, told(str(error), asked[0])) from error
        # JavaScript's numbers are too short for a seed.
        values = {**form.model_dump(mode="json"), "seed": str(form.seed), "variation_seed": str(form.variation_seed)}
        orders = [
            Order(
                id=name,
                set_id=names[0],
                number=number,
                asked=one,
                form=values,
                draft=form.draft,
                longer=form.longer,
            )
            for number, (name, one) in enumerate(zip(names, asked, strict=True))
        ]
        return orders, [told(note, asked[0]) for note in job.given.notes]

    def _checked(self, asked: Sequence[Asked], form: Form) -> Job:
        """Read what is given, once: the results of a form differ in their noise alone.

        Raises:
            ConfigError: It cannot be made, or the policy refuses it.
        """
        first = asked[0]
        given = given_of(first, self._config, self._worker.available_bytes)
        are_shots = bool(first.shots)
        prompts = [*named(first.prompts, are_shots=are_shots), *named(form.longer, are_shots=are_shots)]
        check_judged(prompts, self._config)
        job = job_of(first, given, form.longer)
        for one in asked:
            noise = {name: getattr(one, name) for name in ("seed", "variation", "variation_seed")}
            check(replace(job.given.request, **noise), self._config)
        self._worker.plan_of([job.given.request], draft=form.draft).refuse()
        return job

    def reference(self, name: str) -> Reference | None:
        """What an id of a form stands for; None where it stands for nothing."""
        kind, _, rest = name.partition("/")
        if kind == "given":
            return self._references.find(rest)
        return self._history.reference(rest) if kind == "made" else None


def _told_of(form: Form, sentence: str) -> ConfigError:
    """A mistake; one about the length of a form that has none of its own is about its shots."""
    error = ConfigError(sentence)
    return FieldError("shots", sentence) if form.mode == "shots" and field_of(error) == "seconds" else error

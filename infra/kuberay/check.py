"""Check KubeRay files without a cluster: `python -m infra.kuberay.check FILE ...`.

Kubernetes' own JSON schemas (in strict mode) judge every pod template and every core object; Ray's reader of
RayCluster resources, the code its autoscaler runs, judges the cluster; `ray start` judges its parameters.
Only the envelope that KubeRay puts around them is judged by the models below, which refuse unknown fields.

Source: the field names and types of ray-project/kuberay, rayjob_types.go and raycluster_types.go in
ray-operator/apis/ray/v1.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel


class _Envelope(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=to_camel)


class _Group(_Envelope):
    ray_start_params: dict[str, str]
    template: dict[str, Any]


class HeadGroup(_Group):
    """The head's pod."""

    service_type: Literal["ClusterIP", "NodePort", "LoadBalancer"] | None = None
    enable_ingress: bool | None = None


class WorkerGroup(_Group):
    """Pods of one kind."""

    group_name: str = Field(min_length=1)
    replicas: int = Field(0, ge=0)
    min_replicas: int = Field(ge=0)
    max_replicas: int = Field(ge=0)
    num_of_hosts: int = Field(1, ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> WorkerGroup:
        if not self.min_replicas <= self.replicas <= self.max_replicas:
            raise ValueError(f"need minReplicas <= replicas <= maxReplicas in group {self.group_name}")
        return self


class RayClusterSpec(_Envelope):
    """`rayClusterSpec`."""

    ray_version: str
    enable_in_tree_autoscaling: bool | None = None
    autoscaler_options: dict[str, Any] | None = None
    head_group_spec: HeadGroup
    worker_group_specs: tuple[WorkerGroup, ...] = Field((), strict=False)


class RayJobSpec(_Envelope):
    """`spec` of a RayJob."""

    entrypoint: str = Field(min_length=1)
    submission_mode: Literal["K8sJobMode", "HTTPMode"] = "K8sJobMode"
    backoff_limit: int = Field(0, ge=0)
    active_deadline_seconds: int | None = Field(None, ge=1)
    shutdown_after_job_finishes: bool = False
    ttl_seconds_after_finished: int = Field(0, ge=0)
    suspend: bool = False
    metadata: dict[str, str] | None = None
    runtime_env_yaml: str | None = Field(None, alias="runtimeEnvYAML")
    submitter_pod_template: dict[str, Any] | None = None
    ray_cluster_spec: RayClusterSpec

    @model_validator(mode="after")
    def _ttl_has_a_meaning(self) -> RayJobSpec:
        if self.ttl_seconds_after_finished and not self.shutdown_after_job_finishes:
            raise ValueError("ttlSecondsAfterFinished means nothing without shutdownAfterJobFinishes")
        return self


class RayJob(_Envelope):
    """A RayJob."""

    api_version: Literal["ray.io/v1"]
    kind: Literal["RayJob"]
    metadata: dict[str, Any]
    spec: RayJobSpec


def problems(text: str) -> Iterator[str]:
    """One sentence for each thing that a cluster would refuse in these YAML documents."""
    for document in yaml.safe_load_all(text):
        if not isinstance(document, dict) or "kind" not in document:
            yield f"not a Kubernetes object: {document!r:.80}"
        elif document["kind"] == "RayJob":
            yield from _rayjob_problems(document)
        else:
            yield from _kubernetes_problems(document, f"{document['kind']}")


def _rayjob_problems(document: dict[str, Any]) -> Iterator[str]:
    try:
        job = RayJob.model_validate(document)
    except ValidationError as error:
        for detail in error.errors():
            yield f"RayJob: {'.'.join(map(str, detail['loc']))}: {detail['msg']}"
        return
    # The same rules for names and labels hold for a RayJob as for any object.
    yield from _kubernetes_problems(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": job.metadata}, "RayJob's metadata"
    )
    cluster = job.spec.ray_cluster_spec
    groups: list[tuple[str, _Group]] = [("head", cluster.head_group_spec)]
    groups += [(group.group_name, group) for group in cluster.worker_group_specs]
    for name, group in groups:
        yield from _pod_problems(group.template, name)
        for unknown in sorted(group.ray_start_params.keys() - _ray_start_options()):
            yield f"{name}: `ray start` has no option --{unknown}"
    if job.spec.submitter_pod_template is not None:
        yield from _pod_problems(job.spec.submitter_pod_template, "submitter")
    yield from _ray_problems(document)


def _pod_problems(template: dict[str, Any], name: str) -> Iterator[str]:
    metadata = {"name": "pod", **template.get("metadata", {})}
    pod = {"apiVersion": "v1", "kind": "Pod", **template, "metadata": metadata}
    yield from _kubernetes_problems(pod, f"{name}'s pod")


def _kubernetes_problems(document: dict[str, Any], name: str) -> Iterator[str]:
    import kubernetes_validate

    try:
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
    except kubernetes_validate.SchemaNotFoundError as error:
        yield f"{name}: {error.message}"
    except kubernetes_validate.ValidationError as error:
        yield f"{name}: {'.'.join(map(str, error.absolute_path))}: {error.message}"


def _ray_problems(document: dict[str, Any]) -> Iterator[str]:
    from jsonschema import ValidationError as SchemaError
    from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr

    spec = document["spec"]["rayClusterSpec"]
    resource = {"metadata": {"name": "cluster", "namespace": "default"}, "spec": spec}
    try:
        _derive_autoscaling_config_from_ray_cr(resource)
    except (ValueError, KeyError, SchemaError) as error:
        yield f"Ray cannot read rayClusterSpec: {error!r:.300}"


def _ray_start_options() -> set[str]:
    from ray.scripts.scripts import start

    return {option.removeprefix("--") for parameter in start.params for option in parameter.opts}


def main(paths: Sequence[str]) -> int:
    """Print every problem of the files; the exit status is 1 if there is any."""
    status = 0
    for path in paths:
        for problem in problems(Path(path).read_text(encoding="utf-8")):
            print(f"{path}: {problem}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

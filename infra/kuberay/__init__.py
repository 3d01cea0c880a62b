"""Running on Kubernetes: a RayJob for the KubeRay operator, and its offline check."""

from __future__ import annotations

__all__: list[str] = []

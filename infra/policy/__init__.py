"""The policy: which prompts are refused and which frames are not written; on unless a config turns it off."""

from __future__ import annotations

from infra.policy.config import TITLES, Category, PolicyConfig
from infra.policy.gate import OFF, ON, Gate, gate_of
from infra.policy.policy import DEFAULT, Policy, Refusal, load_policy

__all__ = [
    "DEFAULT",
    "OFF",
    "ON",
    "TITLES",
    "Category",
    "Gate",
    "Policy",
    "PolicyConfig",
    "Refusal",
    "gate_of",
    "load_policy",
]

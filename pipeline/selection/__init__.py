"""Which clips are kept: rules over scores, and the balance between clusters."""

from __future__ import annotations

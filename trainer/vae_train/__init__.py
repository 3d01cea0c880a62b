"""Training of a video autoencoder on clips of datasets, and its figures."""

from __future__ import annotations

from trainer.vae_train.clips import TrainingClip, split, training_clips
from trainer.vae_train.config import VaeTrainConfig

__all__ = ["TrainingClip", "VaeTrainConfig", "split", "training_clips"]

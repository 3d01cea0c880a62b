"""The diffusion transformer over a pack: samples of any size in one sequence, each token with a timestep of its own."""

# ruff: noqa: N815 -- the shape of a tensor ends its name

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from trainer.model.attention import CrossAttention, Segments, SelfAttention
from trainer.model.config import ModelConfig, RopeConfig
from trainer.model.layers import Mlp, Modulation, TextEmbedder, TimeEmbedder, modulate, norm
from trainer.model.places import PLACE_CHANNELS, place_waves
from trainer.model.rope import rotation

# L video tokens, M text tokens, J = L + M, K conditions, S samples, D width, P numbers in a patch, T in a text token

Rotation = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiTParams:
    """Everything that decides the shape of the parameters."""

    depth: int
    width: int
    heads: int
    patch_channels: int
    """Numbers in a patch of the latent."""
    text_width: int = 0
    """Numbers in a token of the text encoder; 0 for a model that reads no text."""
    mlp_ratio: float = 4.0
    text: Literal["cross", "joint"] = "cross"
    modulation: Literal["block", "shared"] = "block"
    qk_norm: bool = True
    rope: RopeConfig | None = field(default_factory=RopeConfig)
    """None for positions that are added to the patches (`fixed_positions`)."""
    places: bool = False
    """Whether tokens are told where in their picture they lie."""
    num_classes: int = 0
    """Labels a sample may have, besides none at all; 0 for a model that knows no labels."""
    out_channels: int | None = None
    """Numbers given for each patch; as many as come in without it."""
    fixed_positions: int = 0
    """Tokens of the one size a model without rotary positions can do."""

    @classmethod
    def of(cls, config: ModelConfig, *, patch_channels: int, text_width: int) -> DiTParams:
        """Those of a config, for latents and texts of these widths."""
        size = config.dimensions()
        return cls(
            depth=size.depth,
            width=size.width,
            heads=size.heads,
            patch_channels=patch_channels,
            text_width=text_width,
            mlp_ratio=config.mlp_ratio,
            text=config.text,
            modulation=config.modulation,
            qk_norm=config.qk_norm,
            rope=config.rope,
            places=config.places,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What the model reads of a pack."""

    patches_LP: torch.Tensor
    """Noisy patches; clean where a task gives them."""
    times_K: torch.Tensor
    """Timesteps in [0, 1], 1 pure noise."""
    time_index_L: torch.Tensor
    """int64: which of them each token has."""
    video: Segments
    positions_L3: torch.Tensor | None = None
    """(time, height, width) of each token, in units of the config."""
    stretches_L3: torch.Tensor | None = None
    """How much longer the longest waves are for each token; 1 everywhere without it."""
    places_L2: torch.Tensor | None = None
    """(height, width) of each token as shares of its picture, in [-1, 1]; of a model with places."""
    text_MT: torch.Tensor | None = None
    is_nothing_M: torch.Tensor | None = None
    """bool: tokens that stand for no text."""
    text: Segments | None = None
    text_time_index_M: torch.Tensor | None = None
    """int64: which timestep the sample of a text token has, of `joint`."""
    labels_K: torch.Tensor | None = None
    """int64: of a model with labels; `num_classes` for none."""


class Block(nn.Module):
    """Attention, text, MLP; each token is scaled, shifted and gated by its own timestep.

    Args:
        params: Of the model.
        reads_text: Whether it has an attention to the text of its own.
    """

    def __init__(self, params: DiTParams, *, reads_text: bool) -> None:
        super().__init__()
        width = params.width
        self.norm_attention, self.norm_mlp = norm(width), norm(width)
        self.attention = SelfAttention(width, params.heads, qk_norm=params.qk_norm)
        self.mlp = Mlp(width, int(width * params.mlp_ratio))
        self.modulation = Modulation(width, 6) if params.modulation == "block" else None
        self.table = nn.Parameter(torch.zeros(6, width)) if self.modulation is None else None
        self.norm_text = nn.LayerNorm(width, eps=1e-6) if reads_text else None
        self.cross = CrossAttention(width, params.heads, qk_norm=params.qk_norm) if reads_text else None

    def forward(
        self,
        x_LD: torch.Tensor,
        conditions: torch.Tensor,
        time_index_L: torch.Tensor,
        cos_LE: torch.Tensor | None,
        sin_LE: torch.Tensor | None,
        segments: Segments,
        text_MD: torch.Tensor | None,
        text: Segments | None,
    ) -> torch.Tensor:
        """One block, (L, D); `conditions` is (K, D), or (K, 6, D) where modulation is shared."""
        rows: torch.Tensor = conditions if self.modulation is None else self.modulation(conditions)
        if self.table is not None:
            rows = rows + self.table
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = rows.index_select(0, time_index_L).unbind(1)
        turned = None if cos_LE is None or sin_LE is None else (cos_LE, sin_LE)
        x_LD = x_LD + gate_a * self.attention(modulate(self.norm_attention(x_LD), shift_a, scale_a), turned, segments)
        if self.cross is not None and self.norm_text is not None:
            x_LD = x_LD + self.cross(self.norm_text(x_LD), text_MD, segments, text)
        made: torch.Tensor = gate_m * self.mlp(modulate(self.norm_mlp(x_LD), shift_m, scale_m))
        return x_LD + made


class FinalLayer(nn.Module):
    """Tokens to patches."""

    def __init__(self, width: int, out_channels: int) -> None:
        super().__init__()
        self.norm = norm(width)
        self.modulation = Modulation(width, 2)
        self.linear = nn.Linear(width, out_channels)

    def forward(self, x_LD: torch.Tensor, conditions_KD: torch.Tensor, time_index_L: torch.Tensor) -> torch.Tensor:
        """Patches, (L, out channels)."""
        shift, scale = self.modulation(conditions_KD).index_select(0, time_index_L).unbind(1)
        found: torch.Tensor = self.linear(modulate(self.norm(x_LD), shift, scale))
        return found


class DiT(nn.Module):
    """Packed samples in, for each token what `trainer.flow` asks for out.

    Args:
        params: Its shape.
        checkpointed: Whether blocks forget what they computed and compute it again for the gradients.
    """

    def __init__(self, params: DiTParams, *, checkpointed: bool = False) -> None:
        super().__init__()
        self.params = params
        self.checkpointed = checkpointed
        width = params.width
        reads_text = params.text_width > 0
        self.patch_in = nn.Linear(params.patch_channels, width)
        self.time_in = TimeEmbedder(width)
        self.text_in = TextEmbedder(params.text_width, width) if reads_text else None
        self.label_in = nn.Embedding(params.num_classes + 1, width) if params.num_classes else None
        if params.fixed_positions:
            self.positions = nn.Parameter(torch.zeros(params.fixed_positions, width), requires_grad=False)
        self.place_in = nn.Linear(PLACE_CHANNELS, width, bias=False) if params.places else None
        self.modulation = Modulation(width, 6) if params.modulation == "shared" else None
        has_cross = reads_text and params.text == "cross"
        self.blocks = nn.ModuleList(Block(params, reads_text=has_cross) for _ in range(params.depth))
        self.final = FinalLayer(width, params.out_channels or params.patch_channels)
        initialize(self)

    def forward(self, packed: Packed) -> torch.Tensor:
        """Predict, (L, out channels)."""
        x_LD = self.patch_in(packed.patches_LP.to(self.patch_in.weight.dtype))
        if self.params.fixed_positions:
            x_LD = x_LD + self.positions.repeat(len(packed.video.lengths), 1)
        if self.place_in is not None:
            assert packed.places_L2 is not None
            x_LD = x_LD + self.place_in(place_waves(packed.places_L2).to(x_LD.dtype))
        conditions_KD = self.time_in(packed.times_K)
        if self.label_in is not None:
            conditions_KD = conditions_KD + self.label_in(packed.labels_K)
        text_MD = self.text_in(packed.text_MT, packed.is_nothing_M) if self.text_in is not None else None
        if text_MD is not None and self.params.text == "joint":
            x_LD = self._joint(x_LD, text_MD, conditions_KD, packed)
        else:
            x_LD = self._run(
                x_LD, conditions_KD, packed.time_index_L, packed.video, self._rotation(packed), text_MD, packed
            )
        found: torch.Tensor = self.final(x_LD, conditions_KD, packed.time_index_L)
        return found

    def _joint(
        self, x_LD: torch.Tensor, text_MD: torch.Tensor, conditions_KD: torch.Tensor, packed: Packed
    ) -> torch.Tensor:
        """Run on one sequence in which each sample's text stands before its video; give the video tokens."""
        assert packed.text is not None
        assert packed.text_time_index_M is not None
        order_J, video_L = joint_order(packed.video, packed.text)
        both_JD = torch.cat((text_MD, x_LD))[order_J]
        time_index_J = torch.cat((packed.text_time_index_M, packed.time_index_L))[order_J]
        turned = self._rotation(packed)
        if turned is not None:
            # A text token is turned by no angle: it is nowhere in the picture.
            still = (torch.ones, torch.zeros)
            turned_J = [
                torch.cat((make(len(text_MD), part.shape[1], device=part.device), part))[order_J]
                for make, part in zip(still, turned, strict=True)
            ]
            turned = turned_J[0], turned_J[1]
        lengths = [a + b for a, b in zip(packed.text.lengths, packed.video.lengths, strict=True)]
        segments = Segments.of(lengths, x_LD.device)
        return self._run(both_JD, conditions_KD, time_index_J, segments, turned, None, packed)[video_L]

    def _run(
        self,
        x_LD: torch.Tensor,
        conditions_KD: torch.Tensor,
        time_index_L: torch.Tensor,
        segments: Segments,
        turned: Rotation | None,
        text_MD: torch.Tensor | None,
        packed: Packed,
    ) -> torch.Tensor:
        """All blocks."""
        conditions = self.modulation(conditions_KD) if self.modulation is not None else conditions_KD
        cos, sin = turned or (None, None)
        for block in self.blocks:
            run = partial(checkpoint, block, use_reentrant=False) if self.checkpointed and self.training else block
            x_LD = run(x_LD, conditions, time_index_L, cos, sin, segments, text_MD, packed.text)
        return x_LD

    def _rotation(self, packed: Packed) -> Rotation | None:
        params = self.params
        if params.rope is None:
            return None
        assert packed.positions_L3 is not None
        return rotation(packed.positions_L3, params.width // params.heads, params.rope, packed.stretches_L3)


def joint_order(video: Segments, text: Segments) -> tuple[torch.Tensor, torch.Tensor]:
    """How text and video of a pack come into one sequence, sample by sample.

    Returns:
        int64 (J,), places in `cat(all text, all video)`, text before video in each sample; and int64 (L,), where the
        video tokens are afterwards.
    """
    text_S, video_S = text.starts_S.long(), video.starts_S.long()
    num_text = int(sum(text.lengths))
    device = video_S.device
    lengths = torch.tensor(video.lengths, device=device)
    samples_L = torch.repeat_interleave(torch.arange(len(video.lengths), device=device), lengths)
    video_L = torch.arange(int(sum(video.lengths)), device=device) + text_S[samples_L + 1]
    text_lengths = torch.tensor(text.lengths, device=device)
    samples_M = torch.repeat_interleave(torch.arange(len(text.lengths), device=device), text_lengths)
    text_M = torch.arange(num_text, device=device) + video_S[samples_M]
    order_J = torch.empty(num_text + len(video_L), dtype=torch.int64, device=device)
    order_J[text_M] = torch.arange(num_text, device=device)
    order_J[video_L] = torch.arange(num_text, len(order_J), device=device)
    return order_J, video_L


def initialize(model: DiT) -> None:
    """Draw the weights, from torch's generator.

    A layer's outputs are as large as its inputs whatever the width, and each block starts as the identity: gates, the
    way out of attention to text, and the last layer are zero. Source: the zeros, Peebles and Xie 2022, section 3.2.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features**-0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
    still = [module.linear for module in model.modules() if isinstance(module, Modulation)]
    still += [module.out for module in model.modules() if isinstance(module, CrossAttention)]
    for linear in (*still, model.final.linear):
        nn.init.zeros_(linear.weight)

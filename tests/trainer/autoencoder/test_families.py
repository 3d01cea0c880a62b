"""Each class from a folder that `save_pretrained` wrote, held against diffusers itself and the published numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import pipeline.media.torchvision_cpu  # noqa: F401
from schemas import ConfigError, LatentShape, PixelShape
from trainer.autoencoder import FAMILIES, AutoencoderConfig, find_autoencoder, load

WAN21_MEAN = (-0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508)
WAN21_MEAN += (0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921)
WAN21_STD = (2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743)
WAN21_STD += (3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160)
FOUR = {"block_out_channels": [8, 8, 8, 8], "layers_per_block": 1, "norm_num_groups": 4}
TINY: dict[str, tuple[str, dict[str, Any]]] = {
    "wan-2.1": ("AutoencoderKLWan", {"base_dim": 8, "dim_mult": [1, 1, 2, 2], "num_res_blocks": 1}),
    "wan-2.2": (
        "AutoencoderKLWan",
        {
            **{"base_dim": 8, "decoder_base_dim": 8, "z_dim": 4, "dim_mult": [1, 1, 2, 2], "num_res_blocks": 1},
            **{"in_channels": 12, "out_channels": 12, "patch_size": 2, "is_residual": True},
            **{"latents_mean": [0.5, -1.0, 0.0, 2.0], "latents_std": [0.5, 2.0, 1.0, 4.0]},
            **{"scale_factor_spatial": 16},
        },
    ),
    "hunyuan": ("AutoencoderKLHunyuanVideo", FOUR),
    "cogvideox": ("AutoencoderKLCogVideoX", FOUR),
    "ltx": (
        "AutoencoderKLLTXVideo",
        {
            **{"latent_channels": 8, "block_out_channels": [8, 8, 8, 8], "layers_per_block": [1, 1, 1, 1, 1]},
            **{"decoder_block_out_channels": [8, 8, 8, 8], "decoder_layers_per_block": [1, 1, 1, 1, 1]},
        },
    ),
    "picture": (
        "AutoencoderKL",
        {
            **{"block_out_channels": [8, 8, 8, 8], "layers_per_block": 1, "norm_num_groups": 4},
            **{"down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4},
        },
    ),
}
GRID = {
    "wan-2.1": ((4, 8, 8), 16),
    "wan-2.2": ((4, 16, 16), 4),
    "hunyuan": ((4, 8, 8), 16),
    "cogvideox": ((4, 8, 8), 16),
    "ltx": ((8, 32, 32), 8),
    "picture": ((1, 8, 8), 4),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of each, with weights drawn at random."""
    import diffusers

    made = {}
    for name, (class_name, config) in TINY.items():
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = getattr(diffusers, class_name)(**config)
        if name == "ltx":
            network.latents_mean.copy_(torch.linspace(-1, 1, 8))
            network.latents_std.copy_(torch.linspace(0.5, 2, 8))
        made[name] = tmp_path_factory.mktemp("vae") / name
        network.save_pretrained(made[name])
    return made


def loaded(folder: Path, **values: Any) -> Any:
    return load(find_autoencoder(AutoencoderConfig(model=str(folder), **values)))


def clip_of(frames: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    """A smooth moving picture in [-1, 1]."""
    coarse = torch.rand(1, 3, 4 + frames // 8, 4, 5, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return torch.nn.functional.interpolate(coarse, (frames, height, width), mode="trilinear")[0]


def raw_latent(folder: Path, class_name: str, pixels: torch.Tensor) -> torch.Tensor:
    """What diffusers itself gives."""
    import diffusers

    network = getattr(diffusers, class_name).from_pretrained(folder, low_cpu_mem_usage=False).eval()
    with torch.inference_mode():
        if class_name == "AutoencoderKL":
            return network.encode(pixels.transpose(0, 1)).latent_dist.mode().transpose(0, 1)  # type: ignore[no-any-return]
        return network.encode(pixels[None]).latent_dist.mode()[0]  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", TINY)
def test_a_clip_goes_there_and_back_at_its_size(name: str, folders: dict[str, Path]) -> None:
    model = loaded(folders[name])
    (over_t, over_h, over_w), channels = GRID[name]
    assert (model.stride, model.channels) == GRID[name]
    pixels = clip_of(1 + 2 * over_t, 2 * over_h, 3 * over_w)
    latent = model.encode(pixels)
    assert latent.dtype == torch.float32
    assert LatentShape(*latent.shape) == LatentShape(channels, 3, 2, 3)
    assert model.latent_shape(PixelShape(*pixels.shape[1:])) == latent.shape
    back = model.decode(latent)
    assert back.shape == pixels.shape
    assert float(back.abs().max()) <= 1
    picture = pixels[:, :1]
    assert model.decode(model.encode(picture)).shape == picture.shape


@pytest.mark.parametrize("name", TINY)
def test_latents_are_scaled_as_published(name: str, folders: dict[str, Path]) -> None:
    model = loaded(folders[name])
    stride = model.stride
    pixels = clip_of(1 + stride[0], 2 * stride[1], 2 * stride[2])
    raw = raw_latent(folders[name], TINY[name][0], pixels)
    column = (-1, 1, 1, 1)
    expected = {
        "wan-2.1": lambda: (raw - torch.tensor(WAN21_MEAN).view(column)) / torch.tensor(WAN21_STD).view(column),
        "wan-2.2": lambda: (
            (raw - torch.tensor([0.5, -1.0, 0.0, 2.0]).view(column)) / torch.tensor([0.5, 2.0, 1.0, 4.0]).view(column)
        ),
        "hunyuan": lambda: raw * 0.476986,
        "cogvideox": lambda: raw * 1.15258426,
        "ltx": lambda: (raw - torch.linspace(-1, 1, 8).view(column)) / torch.linspace(0.5, 2, 8).view(column),
        "picture": lambda: raw * 0.18215,
    }[name]()
    torch.testing.assert_close(model.encode(pixels), expected)


@pytest.mark.parametrize("name", TINY)
def test_decoding_undoes_the_scaling(name: str, folders: dict[str, Path]) -> None:
    import diffusers

    model = loaded(folders[name])
    stride, channels = GRID[name]
    latent = torch.randn(channels, 1, 2, 2, generator=torch.Generator().manual_seed(1)) * 0.3
    network = getattr(diffusers, TINY[name][0]).from_pretrained(folders[name], low_cpu_mem_usage=False).eval()
    raw = latent / model._scale + model._shift
    with torch.inference_mode():
        expected = network.decode(raw[:, 0][None] if name == "picture" else raw[None]).sample[0].clamp(-1, 1)
    torch.testing.assert_close(model.decode(latent), expected.reshape(3, 1, 2 * stride[1], 2 * stride[2]))


@pytest.mark.parametrize("name", [name for name in TINY if name != "hunyuan"])
def test_what_comes_later_changes_nothing_before(name: str, folders: dict[str, Path]) -> None:
    # Hunyuan's class normalises over time, so a frame depends on all others; its config says nothing else.
    model = loaded(folders[name])
    over_t, over_h, over_w = model.stride
    pixels = clip_of(1 + 4 * over_t, over_h, over_w)
    if name == "cogvideox":
        # It normalises over eight frames at a time, and more in the first piece.
        pixels = clip_of(17, over_h, over_w)
        whole, first = model.encode(pixels), model.encode(pixels[:, :9])
    else:
        whole, first = model.encode(pixels), model.encode(pixels[:, : 1 + 2 * over_t])
    torch.testing.assert_close(whole[:, :3], first, rtol=1e-4, atol=1e-4)


def test_pieces_of_a_causal_clip_give_what_the_whole_gives(folders: dict[str, Path]) -> None:
    pixels = clip_of(41, 64, 64)
    whole = loaded(folders["ltx"])
    in_pieces = loaded(folders["ltx"], piece_frames=16)
    torch.testing.assert_close(in_pieces.encode(pixels), whole.encode(pixels), rtol=1e-4, atol=1e-5)
    # And nothing is carried over into the next clip.
    torch.testing.assert_close(in_pieces.encode(pixels), whole.encode(pixels), rtol=1e-4, atol=1e-5)


def test_tiles_are_near_what_the_whole_gives(folders: dict[str, Path]) -> None:
    pixels = clip_of(5, 96, 160)
    whole, by_tile = loaded(folders["wan-2.1"]), loaded(folders["wan-2.1"], tile_px=96, tile_overlap_px=48)
    latent = whole.encode(pixels)
    assert by_tile.encode(pixels).shape == latent.shape
    assert float((by_tile.encode(pixels) - latent).abs().mean()) < 0.1 * float(latent.std())
    assert float((by_tile.decode(latent) - whole.decode(latent)).abs().mean()) < 0.02


def test_pieces_are_refused_where_they_would_differ(folders: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match="piece_frames: AutoencoderKLHunyuanVideo does not give for pieces"):
        find_autoencoder(AutoencoderConfig(model=str(folders["hunyuan"]), piece_frames=16))
    with pytest.raises(ConfigError, match="piece_frames is a multiple of 8"):
        find_autoencoder(AutoencoderConfig(model=str(folders["ltx"]), piece_frames=12))


def test_the_digest_is_of_what_the_folder_holds(folders: dict[str, Path], tmp_path: Path) -> None:
    def digest(path: Path) -> str:
        return find_autoencoder(AutoencoderConfig(model=str(path))).digest

    copied = tmp_path / "elsewhere"
    copied.mkdir()
    for path in folders["wan-2.1"].iterdir():
        (copied / path.name).write_bytes(path.read_bytes())
    assert digest(copied) == digest(folders["wan-2.1"]) != digest(folders["wan-2.2"])
    config = json.loads((copied / "config.json").read_text())
    config["latents_mean"][0] = 0.0
    (copied / "config.json").write_text(json.dumps(config))
    assert digest(copied) != digest(folders["wan-2.1"])


def test_what_is_no_autoencoder_of_ours_is_one_sentence(folders: dict[str, Path], tmp_path: Path) -> None:
    def complaint(path: Path | str) -> str:
        with pytest.raises(ConfigError) as caught:
            load(find_autoencoder(AutoencoderConfig(model=str(path))))
        return str(caught.value)

    assert "there is no such folder" in complaint(tmp_path / "none")
    assert "holds no model (there is no config.json)" in complaint(tmp_path)
    (tmp_path / "config.json").write_text('{"_class_name": "AutoencoderKlWan"}')
    (tmp_path / "diffusion_pytorch_model.bin").write_bytes(b"x")
    assert "diffusion_pytorch_model.bin may hold code and is not loaded" in complaint(tmp_path)
    weights = folders["wan-2.1"] / "diffusion_pytorch_model.safetensors"
    (tmp_path / weights.name).write_bytes(weights.read_bytes()[:-1])
    assert "is cut off" in complaint(tmp_path)
    (tmp_path / weights.name).write_bytes(weights.read_bytes())
    assert "did you mean AutoencoderKLWan?" in complaint(tmp_path)
    (tmp_path / "config.json").write_bytes((folders["wan-2.2"] / "config.json").read_bytes())
    assert str(tmp_path) in complaint(tmp_path)
    wrong = {"_class_name": "AutoencoderKLWan", "temperal_downsample": [True, True, True]}
    (tmp_path / "config.json").write_text(json.dumps(wrong))
    assert "compresses time 8 times" in complaint(tmp_path)


def test_every_family_is_tried_here() -> None:
    assert {class_name for class_name, _ in TINY.values()} == set(FAMILIES)

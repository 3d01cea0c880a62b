"""A model's own way to write down a question."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from captioner.engine import CaptionRequest, Window
from captioner.model_folder import one_line
from captioner.torch_ready import need_transformers
from schemas import ConfigError


class ChatTemplate:
    """Puts the model's marks around a prompt and its frames.

    Args:
        folder: A model's folder, with its processor.

    Raises:
        ConfigError: It has no processor, or none with a chat template.
    """

    def __init__(self, folder: Path) -> None:
        self.processor = load_processor(folder)
        if getattr(self.processor, "chat_template", None) is None:
            raise ConfigError(f"{folder}: has no chat template (chat_template.jinja)")

    def __call__(self, request: CaptionRequest) -> str:
        """The text of a request, with a place for its frames, up to where the answer begins."""
        content: list[dict[str, str]] = []
        if request.window is not None:
            content.append({"type": "image" if len(request.window.times_s) == 1 else "video"})
        content.append({"type": "text", "text": request.prompt})
        messages = [{"role": "user", "content": content}]
        return str(self.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


def video_metadata(window: Window) -> dict[str, Any]:
    """What a processor is told of frames that are already chosen."""
    count = len(window.times_s)
    # Models turn times into whole numbers, and engines do so in different precision: a hair off the exact value, no
    # product of the interval falls on the edge between two of them, where they would disagree.
    rate = window.rate * (1 - 1e-6)
    return {
        "fps": rate,
        "total_num_frames": count,
        "frames_indices": list(range(count)),
        "duration": count / rate,
        "video_backend": "opencv",
    }


def load_processor(folder: Path) -> Any:
    """The model's processor (transformers), which brings frames and text into its form.

    Raises:
        ConfigError: There is none, or it cannot be read.
    """
    need_transformers()
    from transformers import AutoProcessor

    read: Any = AutoProcessor.from_pretrained
    try:
        processor = read(str(folder), trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{folder}: its processor cannot be read: {one_line(error)}") from error
    videos: Any = getattr(processor, "video_processor", None)
    if getattr(videos, "cap_pixels_per_frame", False) is None:
        # Frames come at their final size; said, so that nobody is told of what a later transformers would do.
        videos.cap_pixels_per_frame = False
    return processor

"""Pages for people: the best and the worst videos with what was asked for and what was seen."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

import cv2
import numpy as np

from infra.evaluate.films import Frames
from infra.evaluate.judging import Row
from infra.evaluate.verdicts import ADHERENCE

NUM_FRAMES = 5
"""Of each video on a page, evenly spread."""
_HEIGHT = 120
_WIDTH = 1080
"""Of the PNG, in pixels: all strips are brought to it."""
_STYLE = """
body{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#222}
pre{background:#f4f4f2;padding:1rem;overflow-x:auto;font-size:12px}
figure{margin:1.5rem 0;border-top:1px solid #ddd;padding-top:1rem}figure img{max-width:100%;display:block}
figcaption{margin-top:.4rem}.bad{color:#a11}.good{color:#272}
"""


def ranked(rows: Sequence[Row]) -> list[tuple[str, float, list[Row]]]:
    """Videos with their mean score over what their prompts ask for, the best first."""
    films: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.aspect in ADHERENCE:
            films[row.film].append(row)
    scored = [(name, sum(row.score for row in own) / len(own), own) for name, own in films.items()]
    return sorted(scored, key=lambda one: (-one[1], one[0]))


def strip(frames: Frames) -> np.ndarray:
    """Some frames side by side, RGB."""
    at = np.linspace(0, len(frames) - 1, NUM_FRAMES).round().astype(int)
    width = max(1, round(_HEIGHT * frames.shape[2] / frames.shape[1]))
    shown = [cv2.resize(frames[k], (width, _HEIGHT), interpolation=cv2.INTER_AREA) for k in at]
    return np.concatenate(shown, axis=1)


def write_pages(
    folder: Path, tables: Sequence[str], rows: Sequence[Row], frames_of: Callable[[str], Frames], num: int = 12
) -> None:
    """Write `sheet.png` and `index.html`.

    Args:
        folder: Where to.
        tables: As text.
        rows: The verdicts on the videos.
        frames_of: Gives the frames of a video by its name.
        num: Of the best, and of the worst.
    """
    order = ranked(rows)
    worst = order[-num:][::-1] if len(order) > num else []
    best = order[:num] if len(order) > 2 * num else order[: len(order) - len(worst)]
    parts, strips = [], []
    for title, chosen in (("Worst", worst), ("Best", best)):
        parts.append(f"<h2>{title}</h2>" if chosen else "")
        for name, score, own in chosen:
            picture = strip(frames_of(name))
            strips.append(_on_sheet(picture, f"{score:.2f} {own[0].prompt}"))
            parts.append(_figure(picture, name, score, own))
    if strips:
        is_done, png = cv2.imencode(".png", np.concatenate(strips)[..., ::-1])
        assert is_done
        (folder / "sheet.png").write_bytes(png.tobytes())
    text = "".join(f"<pre>{escape(table)}</pre>" for table in tables)
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>rushes evaluate</title><style>{_STYLE}</style>"
    page = f"{head}<h1>What was asked for, and what is seen</h1>{text}{''.join(parts)}</html>\n"
    (folder / "index.html").write_text(page, encoding="utf-8")


def _figure(picture: np.ndarray, name: str, score: float, own: Sequence[Row]) -> str:
    is_done, jpeg = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert is_done
    data = base64.b64encode(jpeg.tobytes()).decode()
    said = "".join(
        f"<li class={'good' if row.score == 1 else 'bad'}>{escape(row.aspect)}: {escape(row.asked)}"
        f"{'' if row.score == 1 else ' — seen: ' + escape(row.seen)}</li>"
        for row in own
    )
    about = f"{escape(name)}, {own[0].width}x{own[0].height}, {own[0].num_frames} frames, {score:.2f}"
    image = f'<img alt="{escape(name)}" src="data:image/jpeg;base64,{data}">'
    return f"<figure>{image}<figcaption><b>{about}</b><br>{escape(own[0].prompt)}<ul>{said}</ul></figcaption></figure>"


def _on_sheet(picture: np.ndarray, text: str) -> np.ndarray:
    """A strip with its prompt above, as wide as the sheet."""
    canvas = np.full((_HEIGHT + 20, _WIDTH, 3), 255, np.uint8)
    shown = picture[:, :_WIDTH]
    canvas[20:, : shown.shape[1]] = shown
    plain = "".join(c if c.isascii() and c.isprintable() else "?" for c in text)[:150]
    cv2.putText(canvas, plain, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (20, 20, 20), 1, cv2.LINE_AA)
    return canvas

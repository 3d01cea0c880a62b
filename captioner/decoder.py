"""The decoder's child process of the captioner: `python -m captioner.decoder`."""

from __future__ import annotations

import cv2

from pipeline.media.excerpt import excerpt_job
from pipeline.media.service import serve

if __name__ == "__main__":
    cv2.setNumThreads(1)
    serve({"excerpt": excerpt_job})

"""`rushes forget`: take a video out of a dataset, everywhere and for good."""

from __future__ import annotations

import argparse
import json
from typing import Any

from infra.forgetting import find_video, forget
from pipeline.dataset import Dataset


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("forget", help="take a video out of a dataset, everywhere and for good")
    parser.add_argument("dataset", metavar="DATASET", help="a folder, or s3://BUCKET/PREFIX")
    parser.add_argument("video", metavar="VIDEO_ID_OR_URI", help="as the tables `videos` and `files` have it")
    parser.add_argument("--reason", default="asked for", metavar="TEXT", help="kept with its tombstone")
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Do it; give the exit status.

    Raises:
        ConfigError: There is no such dataset or video.
    """
    dataset = Dataset(args.dataset)
    dataset.describe()
    with dataset.lock():
        done = forget(dataset, find_video(dataset, args.video), args.reason)
    if args.json:
        print(json.dumps(done.to_json()))
        return 0
    print(
        f"forgot video {done.video_id}: {done.num_clips} clips, {done.num_captions} captions; "
        f"{done.num_shards} shards written without it; its file, where it lies, is left alone and passed over"
    )
    return 0

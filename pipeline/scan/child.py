"""The decoder's child process of the scan: `python -m pipeline.scan.child`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
from av.video.frame import VideoFrame

from pipeline.media.container import open_container, select_stream
from pipeline.media.decode import Decoding
from pipeline.media.probe import probe_job
from pipeline.media.segments import Seam, plan_job, seam
from pipeline.media.service import Job, serve
from pipeline.media.wire import Reply
from pipeline.scan.assemble import assemble
from pipeline.scan.frame_log import FrameLog
from pipeline.scan.join import join_logs
from pipeline.scan.measure import FrameMeter
from pipeline.scan.reply import pack
from pipeline.scan.rules import ScanRules
from pipeline.shots.detector import detect
from schemas.video import Probe

_BEAT_S = 5.0


def measure_file(job: Job, probe: Probe, rules: ScanRules, scratch: Path | None) -> tuple[FrameLog, Seam]:
    """Decode a video, or the part of it that the job names, and measure every frame."""
    assert job.fd is not None
    start_pts, stop_pts = job.args.get("start_pts"), job.args.get("stop_pts")
    is_part = start_pts is not None or stop_pts is not None
    with open_container(job.fd, job.limits) as container:
        stream = select_stream(container, probe.stream_index, job.limits)
        decoding = Decoding(
            container,
            stream,
            job.limits,
            start_pts=start_pts,
            stop_pts=stop_pts,
            max_frames=1 if probe.is_image else None,
            progress=job.progress,
        )
        meter = FrameMeter(decoding.time_base, rules, is_beginning=start_pts is None, scratch=scratch)
        first: VideoFrame | None = None
        end_pts = 0
        for decoded in decoding:
            if first is None and is_part:
                first = decoded.frame
            meter.add(decoded.pts, decoded.frame)
            end_pts = decoded.pts + decoded.duration
        log = meter.finish(
            end_pts, num_bad_packets=decoding.num_bad_packets, num_repaired_pts=decoding.num_repaired_pts
        )
        return log, seam(decoding, first)


def measure_job(job: Job) -> Reply:
    """Serve `measure`: write the log of `[start_pts, stop_pts)` to the file `log`, and tell what lies at its ends."""
    path = Path(job.args["log"])
    rules = ScanRules.from_json(job.args["rules"])
    log, ends = measure_file(job, Probe.from_json(job.args["probe"]), rules, path.parent)
    with path.open("xb") as file:
        log.write(file)
    return Reply({"seam": [ends.first, ends.next, ends.is_clean]})


@contextmanager
def _heartbeat(job: Job, num_frames: int) -> Iterator[None]:
    """Tell the parent now and then that arithmetic over very many frames is at work, and not a hanging decoder."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(_BEAT_S):
            job.progress(num_frames)

    beating = threading.Thread(target=beat, daemon=True)
    beating.start()
    try:
        yield
    finally:
        done.set()
        beating.join()


def scan_job(job: Job) -> Reply:
    """Serve `scan`: decode, find the shots and answer with rows and the chosen pictures, all in this process."""
    probe, rules = Probe.from_json(job.args["probe"]), ScanRules.from_json(job.args["rules"])
    log, _ = measure_file(job, probe, rules, None)
    log = join_logs([log], rules)
    with _heartbeat(job, log.num_frames):
        shots = detect(log.thumbs, log.times_s, name=rules.detector, params=rules.detector_params)
        outcome = assemble(log, shots, probe, rules, job.args["video_id"])
    return Reply(*pack(outcome))


if __name__ == "__main__":
    cv2.setNumThreads(1)
    serve({"probe": probe_job, "plan": plan_job, "measure": measure_job, "scan": scan_job})

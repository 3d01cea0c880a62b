"""A child that looks at files and decodes nothing more: `python -m pipeline.media.child`."""

from __future__ import annotations

from pipeline.media.probe import probe_job
from pipeline.media.segments import plan_job
from pipeline.media.service import serve

if __name__ == "__main__":
    serve({"probe": probe_job, "plan": plan_job})

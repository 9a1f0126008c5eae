"""Bytes in, elements and bulk references out: scanning, reading for rules, building, splicing."""

from router.dataset.paths import Path, Step, parse_path
from router.dataset.scan import Bulk, Limits, Problem, Scan, Span
from router.dataset.segments import (
    FileRange,
    Segment,
    SegmentReader,
    read_segments,
    total_length,
)

__all__ = [
    "Bulk",
    "FileRange",
    "Limits",
    "Path",
    "Problem",
    "Scan",
    "Segment",
    "SegmentReader",
    "Span",
    "Step",
    "parse_path",
    "read_segments",
    "total_length",
]

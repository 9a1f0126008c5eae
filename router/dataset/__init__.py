"""Bytes in, elements and bulk references out: scanning, reading for rules, building, splicing."""

from router.dataset.part10 import Part10, encode_file_meta, open_part10
from router.dataset.paths import Path, Step, parse_path
from router.dataset.scan import Bulk, Limits, Problem, Scan, Span
from router.dataset.scanner import Scanner, rescan, scan_segments
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
    "Part10",
    "Path",
    "Problem",
    "Scan",
    "Scanner",
    "Segment",
    "SegmentReader",
    "Span",
    "Step",
    "encode_file_meta",
    "open_part10",
    "parse_path",
    "read_segments",
    "rescan",
    "scan_segments",
    "total_length",
]

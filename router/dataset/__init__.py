"""Bytes in, elements and bulk references out: scanning, reading for rules, building, splicing."""

from router.dataset.attributes import Attributes, attributes, encode_attributes
from router.dataset.convert import to_explicit, to_implicit
from router.dataset.encoding import DEFLATED, uid_name
from router.dataset.inflated import scan_inflated
from router.dataset.opened import BulkValue, open_dataset
from router.dataset.part10 import Part10, encode_file_meta, open_part10
from router.dataset.paths import Path, Step, parse_path
from router.dataset.replace import replace_value
from router.dataset.scan import Bulk, Limits, Problem, Scan, Span
from router.dataset.scanner import Scanner, rescan, scan_segments
from router.dataset.segments import (
    FileRange,
    Segment,
    SegmentReader,
    read_segments,
    total_length,
)
from router.dataset.splice import segments
from router.dataset.text import exists, first, values

__all__ = [
    "DEFLATED",
    "Attributes",
    "Bulk",
    "BulkValue",
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
    "attributes",
    "encode_attributes",
    "encode_file_meta",
    "exists",
    "first",
    "open_dataset",
    "open_part10",
    "parse_path",
    "read_segments",
    "replace_value",
    "rescan",
    "scan_inflated",
    "scan_segments",
    "segments",
    "to_explicit",
    "to_implicit",
    "total_length",
    "uid_name",
    "values",
]

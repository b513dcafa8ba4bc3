"""Reports: what a fitted topic model found, as one HTML page with pictures."""

from __future__ import annotations

from dpsvi.report.page import render, write_page, write_report
from dpsvi.report.summary import Summary, summarise

__all__ = ["Summary", "render", "summarise", "write_page", "write_report"]

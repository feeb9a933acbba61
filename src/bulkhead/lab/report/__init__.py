"""The report of a comparison: tables and plots in one HTML file that needs no network."""

from bulkhead.lab.report.page import write_report
from bulkhead.lab.report.summary import Summary, summarise

__all__ = ["Summary", "summarise", "write_report"]

"""The report of a comparison: `summary` in numbers and sentences, `page.write_report` as one HTML file."""

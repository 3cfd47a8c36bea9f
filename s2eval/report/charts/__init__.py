"""The report's charts: one canvas for both packages, drawn by matplotlib as SVG."""

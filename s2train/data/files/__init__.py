"""Files of records: lines and blocks of lines, JSON lines in and out, parquet, and what an input may be."""

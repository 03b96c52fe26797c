"""Files of any format to a stream of records, and their tokens to shards on disk."""

from maskwright.records.read import Record, Source, read

__all__ = ["Record", "Source", "read"]

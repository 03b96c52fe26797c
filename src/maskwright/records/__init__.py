"""Files of any format to a stream of records, and their tokens to shards on disk. Imports without torch."""

from maskwright.records.read import Source, read
from maskwright.records.record import Origin, Record

__all__ = ["Origin", "Record", "Source", "read"]

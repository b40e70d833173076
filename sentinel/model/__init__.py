"""The types that travel between rooms: small, frozen, without behaviour that belongs to one room."""

from sentinel.model.alerts import AlertEvent, AlertState, Delivery, DeliveryReason, Notification
from sentinel.model.columns import STALE, STALE_BITS, Bools, Floats, Int32s, Int64s, UInt8s, UInt64s
from sentinel.model.histogram import Buckets, Histogram
from sentinel.model.labels import Labels, Matcher, MatchOp, quote
from sentinel.model.samples import Decoded, LabelReader, Payloads, SampleBatch, payload_of
from sentinel.model.words import Duration, Secret

__all__ = [
    "STALE",
    "STALE_BITS",
    "AlertEvent",
    "AlertState",
    "Bools",
    "Buckets",
    "Decoded",
    "Delivery",
    "DeliveryReason",
    "Duration",
    "Floats",
    "Histogram",
    "Int32s",
    "Int64s",
    "LabelReader",
    "Labels",
    "MatchOp",
    "Matcher",
    "Notification",
    "Payloads",
    "SampleBatch",
    "Secret",
    "UInt8s",
    "UInt64s",
    "payload_of",
    "quote",
]

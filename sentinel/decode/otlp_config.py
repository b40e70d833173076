"""Options of OpenTelemetry's metrics. Apart from their decoder, so that a configuration is read quickly."""

from __future__ import annotations

from typing import Literal

import msgspec

Strategy = Literal[
    "UnderscoreEscapingWithSuffixes",
    "UnderscoreEscapingWithoutSuffixes",
    "NoUTF8EscapingWithSuffixes",
    "NoTranslation",
]


class OtlpConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How OpenTelemetry's metrics become series: names and meanings are those of Prometheus's `otlp`.

    `delta` says what becomes of sums and histograms that tell what they counted since the last time.
    """

    translation_strategy: Strategy = "UnderscoreEscapingWithSuffixes"
    promote_resource_attributes: list[str] = []
    keep_identifying_resource_attributes: bool = False
    promote_scope_metadata: bool = False
    delta: Literal["accumulate", "reject"] = "accumulate"

"""What may be set of scraped sources. Apart from the sources: to check it takes no HTTP client."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from sentinel.model import Duration, Secret

DEFAULT_TIMEOUT_MS: Final = 10_000


class ScrapeAuth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who we are to the targets."""

    username: str
    password: Secret = Secret("")
    password_file: str = ""


class ScrapeConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Targets that share settings. The label `job` is the source's name, `instance` the target."""

    targets: Annotated[list[str], msgspec.Meta(min_length=1)]
    interval: Duration = Duration(15_000)
    timeout: Duration = Duration(0)
    """0: ten seconds, or the interval if that is shorter."""
    labels: dict[str, str] = {}
    metrics_path: str = "/metrics"
    scheme: Literal["http", "https"] = "http"
    basic_auth: ScrapeAuth | None = None
    bearer_token_file: str = ""
    body_size_limit: Annotated[int, msgspec.Meta(ge=1)] = 64 << 20

    def __post_init__(self) -> None:
        if self.interval <= 0:
            raise ValueError("interval must be above 0")
        if self.timeout > self.interval:
            raise ValueError(f"timeout {self.timeout} is longer than the interval {self.interval}")
        if self.basic_auth and self.bearer_token_file:
            raise ValueError("give basic_auth or bearer_token_file, not both")
        if len(set(self.targets)) < len(self.targets):
            raise ValueError("a target is listed twice")
        for target in self.targets:
            if "@" in target:
                raise ValueError("a target holds a user or password; these go into basic_auth")
            if not target or "/" in target:
                raise ValueError(f"target {target!r} is not host:port; the path goes into metrics_path")

    @property
    def timeout_seconds(self) -> float:
        return (self.timeout or min(DEFAULT_TIMEOUT_MS, self.interval)) / 1000

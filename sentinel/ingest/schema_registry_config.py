"""Where a source's schemas are asked for. Apart from who asks: to check it takes no HTTP client."""

from __future__ import annotations

import msgspec

from sentinel.model import Duration
from sentinel.notify.auth import BasicAuth, HttpConfig, check_http
from sentinel.notify.client import is_http_url


class SchemaRegistryConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A registry that speaks as Confluent's does. Files are read anew with each attempt."""

    url: str
    basic_auth: BasicAuth | None = None
    ssl_ca_file: str = ""
    ssl_cert_file: str = ""
    ssl_key_file: str = ""
    timeout: Duration = Duration(10_000)

    def __post_init__(self) -> None:
        if "@" in self.url:
            raise ValueError("url holds a user or password; these go into basic_auth")
        if not is_http_url(self.url):
            raise ValueError("url is not one of http or https; write for example http://registry:8081")
        if self.timeout <= 0:
            raise ValueError("timeout must be above 0")
        for _, message in check_http(self.http):
            raise ValueError(message)
        if bool(self.ssl_cert_file) is not bool(self.ssl_key_file):
            raise ValueError("ssl_cert_file and ssl_key_file come together")
        if (self.ssl_ca_file or self.ssl_cert_file) and not self.url.startswith("https:"):
            raise ValueError("ssl files are set, but url is not one of https")

    @property
    def http(self) -> HttpConfig:
        """Who we are to the registry."""
        return HttpConfig(basic_auth=self.basic_auth)

    @property
    def base(self) -> str:
        return self.url.rstrip("/")

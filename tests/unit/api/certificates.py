"""Certificates for tests, made by the openssl command in some milliseconds each."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Authority:
    """Signs certificates in `folder`: `name.crt` and `name.key`. Its own is `ca.crt`."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self.folder, self.name = folder, name
        self._openssl(
            "req", "-x509", *NEW_KEY, "-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}"
        )

    def sign(self, name: str, *sans: str) -> None:
        """`sans` as OpenSSL writes them: `DNS:localhost`, `IP:127.0.0.1`."""
        self._openssl(
            "req", "-new", *NEW_KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}"
        )
        (self.folder / f"{name}.ext").write_text(f"subjectAltName={','.join(sans)}\n")
        signer = ("-CA", f"{self.name}.crt", "-CAkey", f"{self.name}.key", "-CAcreateserial")
        extensions = ("-extfile", f"{name}.ext")
        self._openssl("x509", "-req", "-in", f"{name}.csr", *signer, "-out", f"{name}.crt", *extensions)

    def trusted(self, client: str = "") -> ssl.SSLContext:
        """For a client that trusts this authority, showing the certificate `client` if there is one."""
        context = ssl.create_default_context(cafile=str(self.folder / f"{self.name}.crt"))
        if client:
            context.load_cert_chain(self.folder / f"{client}.crt", self.folder / f"{client}.key")
        return context

    def _openssl(self, *arguments: str) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("no openssl command to make certificates with")
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

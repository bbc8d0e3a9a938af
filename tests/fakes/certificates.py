"""An authority of the test's own with what it signs, made by openssl in the test's folder."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_EXTENSIONS = "subjectAltName={names}\nbasicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"


@dataclass(frozen=True)
class Pair:
    cert: Path
    key: Path


class Authority:
    """`authority.pair("server", "DNS:pay.test,IP:127.0.0.1")` is a certificate of its own and the key."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self.folder = folder
        self.ca = Pair(folder / f"{name}.pem", folder / f"{name}.key")
        self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                  "-keyout", self.ca.key, "-out", self.ca.cert, "-subj", f"/CN=disttask {name}")  # fmt: skip

    def pair(self, name: str, names: str) -> Pair:
        made = Pair(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(_EXTENSIONS.format(names=names))
        self._run("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                  "-keyout", made.key, "-out", request, "-subj", f"/CN={name}")  # fmt: skip
        self._run("x509", "-req", "-in", request, "-CA", self.ca.cert, "-CAkey", self.ca.key, "-CAcreateserial",
                  "-days", "2", "-extfile", extensions, "-out", made.cert)  # fmt: skip
        return made

    @staticmethod
    def _run(*arguments: str | Path) -> None:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)

"""Values that name a file whose content counts, and who a certificate is of."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, PlainValidator, ValidationInfo

from router.config import value_schemas as s
from router.config.files import read_file
from router.config.passcodes import Passcodes
from router.config.values import absolute


@dataclass(frozen=True)
class FileContent:
    """A file as it was when the configuration was read; shown, it is its path only."""

    path: Path
    content: bytes = field(repr=False)

    def __str__(self) -> str:
        return str(self.path)


def _file_content(value: object, info: ValidationInfo) -> FileContent:
    path = absolute(value, info)
    try:
        return FileContent(path, read_file(path))
    except OSError as error:
        raise ValueError(f"file {path.name}: {error.strerror}") from None


def _passcodes(value: object, info: ValidationInfo) -> Passcodes:
    file = _file_content(value, info)
    try:
        return Passcodes(file.path, file.content)
    except ValueError as error:
        raise ValueError(f"file {file.path.name}: {error}") from None


def certificate(text: str) -> str:
    """Whose a certificate is, as `router.wire` says it; ValueError names the three ways."""
    kind, colon, rest = text.partition(":")
    digits = rest.replace(":", "").strip().lower()
    if kind.upper() == "SHA256" and re.fullmatch("[0-9a-f]{64}", digits):
        return f"SHA256:{digits}"
    known = {"DNS": "DNS", "IP": "IP Address", "EMAIL": "email", "URI": "URI"}
    if colon and kind.upper() in known and rest:
        return f"{known[kind.upper()]}:{rest}"
    if re.fullmatch(r"\s*[A-Za-z][A-Za-z0-9.]*=.+", text):
        return re.sub(r"\s*(?<!\\),\s*", ",", text.strip())
    raise ValueError(
        f"'{text}' is neither SHA256:FINGERPRINT, nor a name of the certificate such as "
        "DNS:ct1.hospital or IP:10.1.4.7, nor its whole subject such as CN=ct1,O=Hospital"
    )


ReadFile = Annotated[FileContent, PlainValidator(_file_content), s.TEXT]
PasscodeFile = Annotated[Passcodes, PlainValidator(_passcodes), s.TEXT]
CertificateOf = Annotated[str, AfterValidator(certificate), s.CERTIFICATE]

"""Where a store that machines share lies: a folder, or a URL of an object store.

    >>> address_of("s3://models/edgestill/")
    's3://models/edgestill'

An address is printed, and it is part of error messages: one that holds a secret is refused.
"""

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from ...errors import StorageError, UsageError

VARIABLE = "EDGESTILL_STORE"
"""The environment variable that names a shared store."""
CLOUDS = ("s3", "gs", "az", "abfs", "abfss")
SCHEMES = (*CLOUDS, "file", "memory")
_EXPECTED = "a folder, or a URL that begins with " + ", ".join(f"{one}://" for one in SCHEMES)
_SECRETS = re.compile(
    r"SECRET|TOKEN|PASSWORD|ACCESS_KEY|ACCOUNT_KEY|STORAGE_KEY|SAS", re.IGNORECASE
)
_QUERY = re.compile(r"(\w+://[^\s?]*)\?[^\s,;)]+")
_ASKED = re.compile(r"://[^/\s@]+@")


def chosen(text: str | None) -> str | None:
    """The address that a user gave, or that the environment has; None: nothing is shared.

    Args:
        text: as it was given; empty: nothing is shared, whatever the environment says.

    Raises:
        UsageError: it is no address.
    """
    where = "--store" if text is not None else VARIABLE
    given = os.environ.get(VARIABLE) if text is None else text
    return address_of(given, where) if given else None


def address_of(text: str, where: str = "--store") -> str:
    """The normal form of an address: the URL without a slash at its end, or an absolute path.

    Args:
        text: a URL, or the path of a folder.
        where: for errors.

    Raises:
        UsageError: another scheme, no bucket, or a URL that holds credentials.
    """
    if "://" not in text:
        return str(Path(text).expanduser().absolute())
    url = urlsplit(text)
    if url.scheme not in SCHEMES:
        raise UsageError(f"a URL of {url.scheme or 'no scheme'}", expected=_EXPECTED, where=where)
    user = url.scheme in ("abfs", "abfss") and ":" not in url.netloc.partition("@")[0]
    if url.query or url.fragment or ("@" in url.netloc and not user):
        raise UsageError(
            f"a {url.scheme}:// URL with credentials or options in it",
            expected="a bucket and a folder in it",
            where=where,
            fix="give credentials by the environment variables of the cloud",
        )
    if url.scheme == "file":
        if url.netloc not in ("", "localhost") or not url.path:
            raise UsageError("a file:// URL without a path", expected="file:///…", where=where)
        from urllib.request import url2pathname

        return str(Path(url2pathname(url.path)).absolute())
    if url.scheme in CLOUDS and not url.netloc:
        raise UsageError(f"{url.scheme}:// without a bucket", expected=_EXPECTED, where=where)
    return text.rstrip("/") if url.scheme != "memory" else f"memory://{url.netloc}{url.path}"


def is_folder(address: str) -> bool:
    """Whether an address is that of a folder."""
    return "://" not in address


def folder_of(address: str) -> Path:
    """The folder of an address; it has to be there.

    A missing one is not made: below the place where a network folder is not mounted, that would be
    a folder of this machine alone.

    Raises:
        StorageError: there is none.
    """
    folder = Path(address)
    if not folder.is_dir():
        raise StorageError(
            "no such folder",
            where=address,
            fix=f"mount it, or make it: mkdir -p {address}",
        )
    return folder


def without_secrets(text: str) -> str:
    """A library's message, without queries of URLs (they hold signatures) and without credentials.

    Args:
        text: of any library.
    """
    text = _ASKED.sub("://…@", _QUERY.sub(r"\1?…", text))
    for name, value in os.environ.items():
        if len(value) > 5 and _SECRETS.search(name):
            text = text.replace(value, "…")
    return text

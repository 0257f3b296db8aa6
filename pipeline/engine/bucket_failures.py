"""Failures of an object store as errors that say what happened and what to do, without any secret.

    with told("s3://models", "write to it"):
        obstore.put(store, path, content)

The library's message is a page of its own terms. What a user needs of it is which server was asked,
how often, and what it said.
"""

import contextlib
import re
from collections.abc import Iterator

from ...errors import StorageError, reason
from .address import is_folder, without_secrets

_METADATA = ("169.254.169.254", "metadata.google.internal")
"""Servers that a cloud's own machines ask for credentials, where none are given."""
_CODE = re.compile(r"<Code>(\w+)</Code>")
_STATUS = re.compile(r"status code: (\d+ [A-Z]\w+(?: [A-Z]\w+)*)")
_SYSTEM = re.compile(r'(?:error|message): "([^"]+)"')
_SERVER = re.compile(r"https?://[^/\s?]+")
_RETRIED = re.compile(r"after (\d+) retries")
_REFUSED = ("403", "401", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch")
_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}


class DeniedError(StorageError):
    """The credentials do not allow it."""


@contextlib.contextmanager
def told(address: str, what: str) -> Iterator[None]:
    """Raise failures of obstore as ours; a missing object stays a ``FileNotFoundError``.

    Args:
        address: of the store.
        what: it is asked to do, after "cannot".

    Raises:
        DeniedError: the credentials do not allow it.
        StorageError: any other failure.
    """
    from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

    try:
        yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError) as error:
        text = without_secrets(str(error))
        denied = isinstance(error, PermissionDeniedError | UnauthenticatedError)
        raise _failure(address, what, text, denied=denied) from None


def no_bucket(address: str) -> StorageError:
    """The error where a listing says that there is nothing to list."""
    if is_folder(address):
        return StorageError("the folder is gone", where=address, fix="mount it again")
    return StorageError("no such bucket", where=address, fix="make it, or check its name")


def _failure(address: str, what: str, text: str, *, denied: bool) -> StorageError:
    names = _CREDENTIALS.get(_kind(address))
    if is_folder(address):
        found = f"cannot {what} ({_system(text)})"
        error = DeniedError if denied else StorageError
        return error(found, where=address, fix="check that it is mounted, has space, and is yours")
    if any(server in text for server in _METADATA):
        return StorageError("no credentials", where=address, fix=f"set {names}")
    answered = _CODE.search(text) or _STATUS.search(text)
    answer = answered[1] if answered else _system(text)
    server, retried = _SERVER.search(text), _RETRIED.search(text)
    if denied or any(word in answer for word in _REFUSED):
        return DeniedError(
            f"no permission to {what} ({answer})",
            where=address,
            fix=f"check {names}, and what they may do",
        )
    if answer == "NoSuchBucket":
        return no_bucket(address)
    asked = f" of {server[0]}" if server else ""
    tries = f", tried {int(retried[1]) + 1} times" if retried else ""
    own = ", or AWS_ENDPOINT_URL of a server of your own" if _kind(address) == "s3" else ""
    came = "answer" if answered else "no answer"
    return StorageError(
        f"cannot {what} ({came}{asked}: {answer}{tries})",
        where=address,
        fix=f"check the network{own}",
    )


def _system(text: str) -> str:
    """What the system said, else the first line."""
    said = _SYSTEM.search(text)
    return said[1].lower() if said else reason(OSError(text))


def _kind(address: str) -> str:
    scheme = address.partition("://")[0]
    return "az" if scheme.startswith("abfs") else scheme

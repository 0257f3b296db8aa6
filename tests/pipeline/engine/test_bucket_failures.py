"""What an object store's library says, as an error that a user can act on."""

import pytest
from edgestill.errors import StorageError
from edgestill.pipeline.engine.bucket_failures import DeniedError, no_bucket, told

exceptions = pytest.importorskip("obstore.exceptions")

S3 = "Generic S3 error: Error performing GET http://host:9000/models?list-type=2 in 20 ms{tries} - "
BODY = "Server returned non-2xx status code: {status}: <?xml?><Error><Code>{code}</Code></Error>"
REFUSED = 'HTTP error: error sending request\n\nDebug source:\n  message: "Connection refused",'
METADATA = "Error performing PUT http://169.254.169.254/latest/api/token - HTTP error"


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        (
            S3.format(tries=", after 4 retries, max_retries: 4,") + REFUSED,
            StorageError,
            "cannot write to it (no answer of http://host:9000: connection refused, tried 5 times)",
        ),
        (
            S3.format(tries="") + BODY.format(status="404 Not Found", code="NoSuchBucket"),
            StorageError,
            "no such bucket",
        ),
        (
            S3.format(tries="") + BODY.format(status="403 Forbidden", code="AccessDenied"),
            DeniedError,
            "no permission to write to it (AccessDenied)",
        ),
        (
            S3.format(tries="") + BODY.format(status="403 Forbidden", code="SignatureDoesNotMatch"),
            DeniedError,
            "no permission to write to it (SignatureDoesNotMatch)",
        ),
        (
            S3.format(tries=", after 10 retries")
            + "Server returned non-2xx status code: 503 Service Unavailable: busy",
            StorageError,
            "cannot write to it (answer of http://host:9000: 503 Service Unavailable, tried 11 "
            "times)",
        ),
        (METADATA, StorageError, "no credentials"),
    ],
)
def test_a_failure_says_who_was_asked_how_often_and_what_the_answer_was(text, kind, found):
    with pytest.raises(kind) as caught, told("s3://models/a", "write to it"):
        raise exceptions.GenericError(text)
    assert type(caught.value) is kind
    assert caught.value.found == found
    assert caught.value.where == "s3://models/a"
    assert caught.value.fix
    assert caught.value.__cause__ is None, "the library's message may hold a secret"


def test_what_is_not_allowed_names_the_credentials_of_its_cloud():
    for address, name in {"s3": "AWS_ACCESS_KEY_ID", "gs": "GOOGLE", "abfs": "AZURE"}.items():
        with pytest.raises(DeniedError, match=name), told(f"{address}://models", "write to it"):
            raise exceptions.PermissionDeniedError("no")


def test_a_missing_object_stays_what_it_is():
    with pytest.raises(FileNotFoundError), told("s3://models", "read from it"):
        raise FileNotFoundError("x")


def test_a_folder_has_words_of_its_own():
    text = 'Generic LocalFileSystem error\n message: "No space left on device",'
    with pytest.raises(StorageError, match="no space left on device") as caught, told("/mnt", "x"):
        raise exceptions.GenericError(text)
    assert "AWS" not in caught.value.fix
    assert "mount" in no_bucket("/mnt").fix
    assert "bucket" in no_bucket("s3://models").found

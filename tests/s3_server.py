"""An S3 server on the loopback address: moto's, in a process of its own.

    with s3_server.serve() as s3:
        s3.environment      # variables that lead an S3 client to it
        s3.bucket()         # the URL of a new bucket

Requests are served one after the other, so that a conditional write is one step. Three access keys
have a meaning: ``reader`` may not write, ``stranger`` may do nothing, ``writer`` may do all.
"""

import contextlib
import itertools
import subprocess
import sys
import threading
import urllib.request
from dataclasses import dataclass

DENIED = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"""
_COUNT = itertools.count()


@dataclass(frozen=True)
class Server:
    url: str
    process: subprocess.Popen

    @property
    def environment(self):
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "writer",
            "AWS_SECRET_ACCESS_KEY": "a-secret-of-writer",
            "AWS_REGION": "us-east-1",
        }

    def bucket(self):
        name = f"bucket-{next(_COUNT)}"
        request = urllib.request.Request(f"{self.url}/{name}", method="PUT")
        urllib.request.urlopen(request).read()
        return f"s3://{name}/some/folder"


@contextlib.contextmanager
def serve():
    process = subprocess.Popen(
        [sys.executable, __file__], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield Server(f"http://127.0.0.1:{int(process.stdout.readline())}", process)
    finally:
        process.kill()
        process.communicate()


def limited(app):
    """The application with one request at a time, and with what an access key may do."""
    alone = threading.Lock()

    def answer(environ, start_response):
        signed = environ.get("HTTP_AUTHORIZATION", "")
        reads = environ["REQUEST_METHOD"] in ("GET", "HEAD")
        if "Credential=stranger/" in signed or ("Credential=reader/" in signed and not reads):
            length = int(environ.get("CONTENT_LENGTH") or 0)
            environ["wsgi.input"].read(length)
            start_response("403 Forbidden", [("Content-Type", "application/xml")])
            return [DENIED]
        with alone:
            return list(app(environ, start_response))

    return answer


def main():
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    WSGIRequestHandler.protocol_version = "HTTP/1.1"
    app = limited(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(server.port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

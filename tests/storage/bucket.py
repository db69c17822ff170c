"""A bucket that speaks as much of S3 as the store needs, and checks signatures: version 4, in the header or in the URL."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

ID, SECRET, REGION = "testid", "testsecret", "us-east-1"


@dataclass(frozen=True)
class Stored:
    """An object."""

    data: bytes
    kind: str
    modified: datetime

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.data).hexdigest()}"'


@dataclass
class Bucket:
    """What is in the bucket, and what was asked of it."""

    url: str = ""
    objects: dict[str, Stored] = field(default_factory=dict)
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    failing: int = 0


def signature(
    method: str, path: str, query: list[tuple[str, str]], headers: dict[str, str], payload: str, moment: str
) -> str:
    """Version 4 of AWS's signatures, over exactly these headers."""
    day = moment[:8]
    canonical = "\n".join(
        [
            method,
            path,
            "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(query)),
            "".join(f"{name}:{value}\n" for name, value in sorted(headers.items())),
            ";".join(sorted(headers)),
            payload,
        ]
    )
    scope = f"{day}/{REGION}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{SECRET}".encode()
    for part in (day, REGION, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, text.encode(), "sha256").hexdigest()


@contextmanager
def serve_bucket(name: str) -> Iterator[Bucket]:
    bucket = Bucket()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for key, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(key.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def fail(self, status: int, code: str) -> None:
            self.answer(status, f"<Error><Code>{code}</Code></Error>".encode())

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            query = parse_qsl(parts.query, keep_blank_values=True)
            bucket.requests.append(f"{self.command} {self.path}")
            if bucket.failing:
                bucket.failing -= 1
                return self.fail(503, "SlowDown")
            if not self.signed(parts.path, query):
                return self.fail(403, "SignatureDoesNotMatch")
            own, _, key = parts.path[1:].partition("/")
            if own != name:
                return self.fail(404, "NoSuchBucket")
            return self.carry_out(unquote(key), dict(query), body)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any  # noqa: N815

        def signed(self, path: str, query: list[tuple[str, str]]) -> bool:
            given = dict(query)
            if "X-Amz-Signature" in given:
                begun = datetime.strptime(given["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
                if datetime.now(UTC) > begun + timedelta(seconds=int(given["X-Amz-Expires"])):
                    return False
                rest = [(key, value) for key, value in query if key != "X-Amz-Signature"]
                host = {"host": self.headers["Host"]}
                expected = signature(self.command, path, rest, host, "UNSIGNED-PAYLOAD", given["X-Amz-Date"])
                return expected == given["X-Amz-Signature"]
            found = re.search(r"SignedHeaders=([^,]+), *Signature=(\w+)", self.headers.get("Authorization", ""))
            if found is None:
                return False
            headers = {key: self.headers[key] for key in found[1].split(";")}
            payload, moment = self.headers["x-amz-content-sha256"], self.headers["x-amz-date"]
            return signature(self.command, path, query, headers, payload, moment) == found[2]

        def carry_out(self, key: str, query: dict[str, str], body: bytes) -> None:
            kind = self.headers.get("Content-Type", "")
            if self.command == "POST" and "uploads" in query:
                bucket.parts[key] = {}
                upload = (
                    f"<R><Bucket>{name}</Bucket><Key>{escape(key)}</Key><UploadId>{quote(kind, safe='')}</UploadId></R>"
                )
                return self.answer(200, upload.encode())
            if self.command == "PUT" and "partNumber" in query:
                bucket.parts[key][int(query["partNumber"])] = body
                return self.answer(200, ETag=f'"{query["partNumber"]}"')
            if self.command == "POST" and "uploadId" in query:
                data = b"".join(part for _, part in sorted(bucket.parts.pop(key).items()))
                bucket.objects[key] = Stored(data, unquote(query["uploadId"]), datetime.now(UTC))
                return self.answer(200, f"<R><ETag>{escape(bucket.objects[key].etag)}</ETag></R>".encode())
            if self.command == "POST" and "delete" in query:
                keys = [each.text or "" for each in ElementTree.fromstring(body).iter() if each.tag.endswith("Key")]
                for each in keys:
                    bucket.objects.pop(each, None)
                told = "".join(f"<Deleted><Key>{escape(each)}</Key></Deleted>" for each in keys)
                return self.answer(200, f"<DeleteResult>{told}</DeleteResult>".encode())
            if self.command == "PUT":
                bucket.objects[key] = Stored(body, kind, datetime.now(UTC))
                return self.answer(200, ETag=bucket.objects[key].etag)
            if self.command == "DELETE":
                bucket.objects.pop(key, None)
                return self.answer(204)
            if query.get("list-type") == "2":
                return self.answer(200, self.listed(query.get("prefix", "")).encode())
            return self.read(key)

        def listed(self, prefix: str) -> str:
            found = "".join(
                f"<Contents><Key>{escape(key)}</Key><Size>{len(each.data)}</Size><ETag>{escape(each.etag)}</ETag>"
                f"<LastModified>{each.modified:%Y-%m-%dT%H:%M:%S.000Z}</LastModified></Contents>"
                for key, each in bucket.objects.items()
                if key.startswith(prefix)
            )
            return f"<ListBucketResult><IsTruncated>false</IsTruncated>{found}</ListBucketResult>"

        def read(self, key: str) -> None:
            found = bucket.objects.get(key)
            if found is None:
                return self.fail(404, "NoSuchKey")
            if self.headers.get("If-Match", found.etag) != found.etag:
                return self.fail(412, "PreconditionFailed")
            head = {
                "ETag": found.etag,
                "Content_Type": found.kind,
                "Last_Modified": f"{found.modified:%a, %d %b %Y %H:%M:%S GMT}",
            }
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            if asked:
                first, last = int(asked[1]), min(int(asked[2] or len(found.data)), len(found.data) - 1)
                head["Content_Range"] = f"bytes {first}-{last}/{len(found.data)}"
                return self.answer(206, found.data[first : last + 1], **head)
            if self.command == "HEAD":
                head["Content_Length"] = str(len(found.data))
            return self.answer(200, found.data, **head)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    bucket.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield bucket
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

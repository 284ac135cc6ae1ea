"""A bucket that is served on loopback, for an audit trail."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "audit-trail"


@dataclass(frozen=True, slots=True)
class Served:
    """An empty bucket, and where it is served."""

    client: "S3Client"
    url: str

    def keys(self, prefix: str = "") -> list[str]:
        """Return the keys of its objects below a prefix."""
        listed = self.client.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return [found["Key"] for found in listed.get("Contents", [])]

    def get(self, key: str) -> bytes:
        """Return what an object holds."""
        return self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()


@contextmanager
def served_bucket() -> Iterator[Served]:
    """Serve one, and leave nothing in it: what moto keeps outlives its server."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.client(
        "s3", region_name="us-east-1", endpoint_url=url, aws_access_key_id="sandbox", aws_secret_access_key="sandbox"
    )
    client.create_bucket(Bucket=BUCKET)
    yield Served(client, url)
    listed = client.list_object_versions(Bucket=BUCKET)
    for found in (*listed.get("Versions", []), *listed.get("DeleteMarkers", [])):
        client.delete_object(Bucket=BUCKET, Key=found["Key"], VersionId=found["VersionId"])
    client.delete_bucket(Bucket=BUCKET)
    server.stop()

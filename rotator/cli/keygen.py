"""`audit keygen`: a new key that signs the audit trail, in a file."""

import json
import shlex
from pathlib import Path

import click

from rotator.audit.signers import make_key
from rotator.cli.context import print_json
from rotator.cli.exits import Exit


def make_signing_key(written: str, *, as_json: bool) -> int:
    """Write a new private key, and print what belongs into the configuration.

    Raises ConfigError if the file is there already, or cannot be written.
    """
    path = Path(written).absolute()
    fingerprint = make_key(path)
    if as_json:
        print_json({"path": str(path), "fingerprint": fingerprint})
        return Exit.OK
    click.echo(f"Wrote {shlex.quote(str(path))}. Only its owner can read it. For `[audit]`:\n")
    click.echo(f"sign = {json.dumps(f'file:{path}', ensure_ascii=False)}\nsigners = {json.dumps([fingerprint])}")
    return Exit.OK

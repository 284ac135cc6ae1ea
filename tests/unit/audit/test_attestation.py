"""What binds an event to its content and to the event before it: its bytes."""

import hashlib
import json

from rotator.audit.attestation import canonical
from tests.unit.audit.builders import ARN, KEY_NAME, an_intent, chain_lines

INTENT = (
    b'{"activity_id":1,"activity_name":"Create","actor":{"app_name":"rotator","app_uid":"cli",'
    b'"user":{"uid":"arn:aws:sts::111122223333:assumed-role/rotator/ci"}},"api":{"operation":'
    b'"CreateApiKey","request":{"uid":"run-7.2"},"service":{"name":"pinata"}},"category_uid":6,'
    b'"class_uid":6003,"metadata":{"correlation_uid":"run-7","log_name":"rotation-audit","product":'
    b'{"name":"rotator","version":"1.2.3"},"sequence":2,"uid":"run-7.2","version":"1.8.0"},'
    b'"resources":[{"name":"uploader","type":"secret","uid":"' + ARN.encode() + b'","version":"'
    b'g000012-20261122T095328Z-9f3c1a2b4d"},{"name":"' + KEY_NAME.encode() + b'","type":'
    b'"pinata_api_key","uid":""}],"severity_id":1,"src_endpoint":{"hostname":"runner-1"},"status":'
    b'"Intent","status_detail":"","status_id":99,"time":1795341210000,"type_uid":600301,"unmapped":'
    b'{"attestation_list":[{"chain_uid":"run-7",%s"prev_event":{"fingerprint":{"algorithm_id":3,'
    b'"value":"%s"},"type_uid":600399,"uid":"run-7.1"}}],"kind":"intent","label":""}}'
)
"""The second event of a run, with room for its own fingerprint and that of the first."""


def test_an_event_has_exactly_these_bytes() -> None:
    """A second event, its link and its fingerprint are the pinned bytes."""
    first, second = chain_lines("run-7", [an_intent()])
    before = json.loads(first)["unmapped"]["attestation_list"][0]["fingerprint"]["value"].encode()

    unsigned = INTENT % (b"", before)
    own = hashlib.sha256(unsigned).hexdigest().encode()

    assert second == INTENT % (b'"fingerprint":{"algorithm_id":3,"value":"%s"},' % own, before) + b"\n"
    assert own == b"1c584e813901218dca3e304f0813f5e60c93edb4fe735515f24a36ae7c1e6849"


def test_a_start_has_exactly_this_fingerprint() -> None:
    """The first event of a run refers to none, and its fingerprint is the pinned one."""
    (line,) = chain_lines("run-7", [])
    (attestation,) = json.loads(line)["unmapped"]["attestation_list"]
    assert attestation == {
        "chain_uid": "run-7",
        "fingerprint": {"algorithm_id": 3, "value": "26c7d78481d5f5bfca66856fd7ced00c8e0ba22c5ef0a97f76bb3244d128aa67"},
    }


def test_the_canonical_form_is_that_of_rfc_8785() -> None:
    """Keys are sorted, control characters escaped the short way, all else is as it is."""
    event = canonical({"b": [True, None, -1, 0], "a": {}, "A": '\b\t\n\f\r\x1f"\\/\x7f€\u2028😀'})
    assert event == (
        b'{"A":"\\b\\t\\n\\f\\r\\u001f\\"\\\\/\x7f' + "€\u2028😀".encode() + b'","a":{},"b":[true,null,-1,0]}'
    )

"""A check of our own, beside those of schemathesis."""
import schemathesis
from schemathesis import GenerationMode


@schemathesis.check
def schema_and_gateway_agree(ctx, response, case):
    """Arguments that the document's schema accepts are never refused for their shape."""
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE or response.status_code != 400:
        return
    error = response.json()["error"]
    code = error["code"]
    # The check against the schema names its faults one by one. Without them a tool itself speaks, of what its schema cannot say:
    # falkordb_search takes one of "text" and "vector", and clients of MCP take no "oneOf" at the top of a schema.
    if code in ("invalid_json", "invalid_request") or (code == "invalid_arguments" and "faults" in error.get("details", {})):
        raise AssertionError(f"The schema accepts the request, the gateway does not: {code}")

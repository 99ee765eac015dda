"""A check of our own, beside those of schemathesis."""
import schemathesis
from schemathesis import GenerationMode


@schemathesis.check
def schema_and_gateway_agree(ctx, response, case):
    """Arguments that the document's schema accepts are never refused for their shape."""
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE or response.status_code != 400:
        return
    code = response.json().get("error", {}).get("code")
    if code in ("invalid_arguments", "invalid_json", "invalid_request"):
        raise AssertionError(f"The schema accepts the request, the gateway does not: {code}")

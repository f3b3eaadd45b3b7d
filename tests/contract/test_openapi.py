"""The OpenAPI document against the API itself: schemathesis sends what the document allows and what it forbids.

No 5xx, no answer that the document does not describe, nobody gets in without signing in, nothing that is malformed is taken.
"""

from __future__ import annotations

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig

from control.api import ENDPOINTS
from control.endpoint import Guard
from control.openapi import document
from tests.contract.api_world import HEADERS, Api
from tests.unit.control.world import World

EXAMPLES = 10

api = Api(World())
config = SchemathesisConfig.from_dict({"checks": {"missing_required_header": {"expected-statuses": [428]}}})
schema = schemathesis.openapi.from_asgi("/api/openapi.json", api.asgi(), config=config, headers=HEADERS)


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
def test_what_the_document_says_is_what_the_api_does(case: Case) -> None:
    # what a schema cannot say (a user that exists, settings that need each other) is refused with a documented 400
    case.call_and_validate(headers=HEADERS, excluded_checks=[CHECKS.get_one("positive_data_acceptance")])


def test_every_endpoint_is_described_and_guarded() -> None:
    described = document(ENDPOINTS)
    operations = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}
    assert operations == {(each.method, f"/api/{each.route}") for each in ENDPOINTS}
    assert {each.name for each in ENDPOINTS if each.guard is not Guard.ADMIN} == {
        "openapi",
        "user_disconnect",
        "me",
        "me_parting",
        "me_put",
        "my_exports",
        "my_exports_order",
    }
    assert described["security"]
    assert "client_secret" not in described["components"]["schemas"]["SettingsShown"]["properties"]

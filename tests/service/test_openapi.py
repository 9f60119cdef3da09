"""docs/openapi.json is what the code answers by; `python -m tests.service.test_openapi` writes it again."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

from autokd.service.app import Service
from autokd.service.settings import ServiceSettings
from tests.paths import ROOT

FILE = ROOT / "docs" / "openapi.json"


def written() -> str:
    """The OpenAPI document of today, without the version of autokd, which changes on its own."""
    with tempfile.TemporaryDirectory() as folder:
        document = Service(ServiceSettings(home=Path(folder))).api.openapi()
    document["info"]["version"] = "1"
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def test_the_openapi_document_is_that_of_the_code() -> None:
    assert FILE.read_text() == written(), "python -m tests.service.test_openapi writes it again"


def test_the_page_names_every_address_and_every_setting() -> None:
    page = (ROOT / "docs" / "service.md").read_text()
    for path in json.loads(written())["paths"]:
        named = path.replace("{pair}", "4-9").replace("{student}", "9")
        assert re.search(rf"`((GET|POST|PUT) )?{re.escape(named)}[`?]", page), path
    shared = {"home": "AUTOKD_HOME", "storage": "AUTOKD_STORAGE", "ray_address": "RAY_ADDRESS"}
    for name, field in ServiceSettings.model_fields.items():
        assert f"`{shared.get(name, f'AUTOKD_SERVE_{name.upper()}')}` | `{name}` |" in page
        if isinstance(field.default, int) and not isinstance(field.default, bool):
            assert f"{field.default:,}" in page or str(field.default) in page


def test_every_operation_has_a_summary_wants_a_token_and_tells_its_errors() -> None:
    for path, operations in json.loads(written())["paths"].items():
        for operation in operations.values():
            assert operation["summary"]
            if path not in ("/healthz", "/readyz"):
                assert operation["security"] == [{"HTTPBearer": []}], path
                problem = operation["responses"]["401"]["content"]["application/problem+json"]["schema"]
                assert problem == {"$ref": "#/components/schemas/ProblemDocument"}


if __name__ == "__main__":
    FILE.write_text(written())

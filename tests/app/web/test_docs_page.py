"""/docs in a real Chromium: Swagger UI starts under its policy and can send a request."""

from __future__ import annotations

import pytest

from tests.app.web.browser import chromium, visit
from tests.service_process import ServiceProcess

pytestmark = pytest.mark.slow


def test_swagger_ui_works_under_its_policy(service: ServiceProcess) -> None:
    with chromium() as browser:
        seen = visit(browser, f"{service.url}/docs", "desk")
        seen.page.goto(seen.url)
        seen.page.wait_for_selector(".opblock-summary-path")
        seen.page.click("#operations-Health-livez_livez_get .opblock-summary, [data-path='/livez'] >> nth=0")
        seen.page.click("text=Try it out")
        seen.page.click("button.execute")
        seen.page.wait_for_selector(".live-responses-table .response-col_status:has-text('200')")
        seen.end()

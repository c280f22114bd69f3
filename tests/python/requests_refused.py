"""Who nobody knows and what nobody understands: tokens, api-versions, bodies."""

from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ResourceNotFoundError
from azure.mgmt.recoveryservices import RecoveryServicesClient

from session import refused


def wrong_secret(s):
    """a wrong secret gets no token"""
    client = s.client(RecoveryServicesClient, s.credential("not-the-secret"))
    error = refused(ClientAuthenticationError, client.vaults.get, s.group, s.vault)
    assert "AADSTS7000215" in str(error) or "invalid_client" in str(error), error


def made_up_token(s):
    """a token of nobody's is refused"""

    class MadeUp:
        def get_token(self, *_, **__):
            return AccessToken("made-up", 4_000_000_000)

    client = s.client(RecoveryServicesClient, MadeUp())
    refused(ClientAuthenticationError, client.vaults.get, s.group, s.vault, status=401)


def bad_requests(s):
    """bad requests are answered by errors that say what is wrong"""
    items = f"{s.vault_id()}/backupProtectedItems"
    policy = f"{s.vault_id()}/backupPolicies/broken"
    for expected, response in [
        ("MissingApiVersionParameter", s.raw("GET", items, version=None)),
        ("InvalidApiVersionParameter", s.raw("GET", items, version="1999-01-01")),
        ("InvalidRequestContent", s.raw("PUT", policy, content=b"{not json", headers={"Content-Type": "application/json"})),
    ]:
        assert response.status_code == 400, (expected, response.status_code, response.text())
        error = response.json()["error"]
        assert error["code"] == expected and error["message"], error
        assert response.headers["x-ms-request-id"], "every answer can be asked about"
    refused(ResourceNotFoundError, s.backup.protection_policies.get, s.vault, s.group, "broken")

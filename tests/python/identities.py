"""Signing in without a secret: as a managed identity, and by the word of another issuer (a workload identity)."""

import json
import os
import time

import jwt
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import ManagedIdentityCredential, WorkloadIdentityCredential
from azure.mgmt.recoveryservices import RecoveryServicesClient
from azure.mgmt.recoveryservices import models as rs
from cryptography.hazmat.primitives.asymmetric import rsa

from session import refused

ISSUER = "https://kubernetes.default.svc.cluster.local"
SUBJECT = "system:serviceaccount:kluis-system:kluis"
READER = "22222222-3333-4444-5555-666666666666"


def managed_identity(s):
    """the loopback's token endpoint vouches for whoever has its header"""
    os.environ["IDENTITY_ENDPOINT"] = os.environ["KLUIS_IDENTITY_ENDPOINT"]
    os.environ["IDENTITY_HEADER"] = s.credentials["identityHeader"]
    client = s.client(RecoveryServicesClient, ManagedIdentityCredential())
    assert list(client.vaults.list_by_resource_group(s.group)) == []
    os.environ["IDENTITY_HEADER"] = "somebody-else"
    client = s.client(RecoveryServicesClient, ManagedIdentityCredential())
    refused(ClientAuthenticationError, lambda: list(client.vaults.list_by_resource_group(s.group)))


def issuer(s):
    """An issuer's key pair: its public half where the inventory says, its private half returned."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    (s.inventory / "issuer.json").write_text(json.dumps({"keys": [{**public, "kid": "one", "alg": "RS256", "use": "sig"}]}))
    return key


def assertion(s, key, **claims):
    """A token file as a pod's service account has it, and a client that signs in with it."""
    now = int(time.time())
    usual = {"iss": ISSUER, "sub": SUBJECT, "aud": ["api://AzureADTokenExchange"], "iat": now, "nbf": now, "exp": now + 600}
    token = s.inventory / "token"
    token.write_text(jwt.encode({**usual, **claims}, key, algorithm="RS256", headers={"kid": "one"}))
    credential = WorkloadIdentityCredential(
        tenant_id=s.credentials["tenantId"],
        client_id=READER,
        token_file_path=str(token),
        authority=s.credentials["endpoint"],
        disable_instance_discovery=True,
    )
    return s.client(RecoveryServicesClient, credential)


def workload_identity(s):
    """a service account's token signs in, with the role of its identity; another's does not"""
    key = issuer(s)
    client = assertion(s, key)
    assert list(client.vaults.list_by_resource_group(s.group)) == []
    vault = rs.Vault(location=s.location, properties=rs.VaultProperties(), sku=rs.Sku(name="Standard"))
    error = refused(HttpResponseError, client.vaults.begin_create_or_update, s.group, s.vault, vault, status=403)
    assert error.error.code == "AuthorizationFailed", error
    now = int(time.time())
    for number, wrong in [
        ("AADSTS700213", {"sub": "system:serviceaccount:default:default"}),
        ("AADSTS700211", {"iss": "https://elsewhere"}),
        ("AADSTS700212", {"aud": "somebody"}),
        ("AADSTS700024", {"nbf": now - 7200, "exp": now - 3600}),
    ]:
        client = assertion(s, key, **wrong)
        error = refused(ClientAuthenticationError, client.vaults.get, s.group, s.vault)
        assert number in str(error), (number, error)
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    error = refused(ClientAuthenticationError, assertion(s, stranger).vaults.get, s.group, s.vault)
    assert "AADSTS700027" in str(error), error
    fresh = issuer(s)
    assert list(assertion(s, fresh).vaults.list_by_resource_group(s.group)) == [], "keys are exchanged without a restart"

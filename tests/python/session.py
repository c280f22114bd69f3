"""Microsoft's clients against one service, and how to follow what they start.

What a run is about comes from the environment: KLUIS_CREDENTIALS names the
service's credentials.json, KLUIS_INVENTORY_DIR the folder of its inventory, and
REQUESTS_CA_BUNDLE the CA to trust. Nothing in the clients is patched: the
credential fetches its token from the service and every call goes over HTTPS.
"""

import json
import os
import pathlib
import time

from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest
from azure.identity import ClientSecretCredential
from azure.mgmt.recoveryservices import RecoveryServicesClient
from azure.mgmt.recoveryservicesbackup import RecoveryServicesBackupClient

PATIENCE_SECONDS = 120

VM_FILTER = "backupManagementType eq 'AzureIaasVM'"
ITEM_FILTER = f"{VM_FILTER} and itemType eq 'VM'"


class Session:
    """The clients of one service, its one vault and its one resource group."""

    group = "shop-rg"
    vault = "shop-weu"
    location = "westeurope"

    def __init__(self):
        self.credentials = json.loads(pathlib.Path(os.environ["KLUIS_CREDENTIALS"]).read_text())
        self.inventory = pathlib.Path(os.environ["KLUIS_INVENTORY_DIR"])
        self.subscription = self.credentials["subscriptionId"]
        credential = self.credential(self.credentials["clientSecret"])
        self.vaults = self.client(RecoveryServicesClient, credential)
        self.backup = self.client(RecoveryServicesBackupClient, credential)

    def credential(self, secret):
        """A service principal of this service's own authority. Instance discovery would ask login.microsoftonline.com."""
        return ClientSecretCredential(
            self.credentials["tenantId"],
            self.credentials["clientId"],
            secret,
            authority=self.credentials["endpoint"],
            disable_instance_discovery=True,
        )

    def client(self, kind, credential):
        endpoint = self.credentials["endpoint"]
        return kind(
            credential,
            self.subscription,
            base_url=endpoint,
            credential_scopes=[f"{endpoint}/.default"],
            polling_interval=1,
            retry_total=1,
        )

    def vm(self, name):
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}/providers/Microsoft.Compute/virtualMachines/{name}"

    def policy(self, name):
        return f"{self.vault_id()}/backupPolicies/{name}"

    def vault_id(self):
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}/providers/Microsoft.RecoveryServices/vaults/{self.vault}"

    def item(self, vm):
        """The path arguments by which the backup client names a protected VM."""
        name = f"iaasvmcontainerv2;{self.group};{vm}"
        return (self.vault, self.group, "Azure", f"IaasVMContainer;{name}", f"VM;{name}")

    def read_item(self, vm):
        return on_the_wire(self.backup.protected_items.get(*self.item(vm)))

    def started(self, call, *args):
        """Starts what answers 202 and is no poller in the SDK; the id of its operation."""
        headers = call(*args, cls=lambda pipeline, _, __: pipeline.http_response.headers)
        url = headers["Azure-AsyncOperation"]
        assert headers["Location"], "a 202 says where its result will be"
        return url.split("?")[0].rsplit("/", 1)[1]

    def finished(self, operation):
        """Waits for an operation; its status document."""
        return wait(
            f"operation {operation}",
            lambda: self.backup.backup_operation_statuses.get(self.vault, self.group, operation),
            lambda found: found.status != "InProgress",
        )

    def job_of(self, operation):
        """The job that an operation made, once it says which."""
        found = self.finished(operation)
        assert found.status == "Succeeded", f"{found.status}: {found.error}"
        return found.properties.job_id

    def job(self, job):
        return self.backup.job_details.get(self.vault, self.group, job)

    def ended(self, job):
        """Waits for a job to end; the job."""
        return wait(
            f"job {job}",
            lambda: self.job(job),
            lambda found: found.properties.status not in ("InProgress", "Cancelling"),
        )

    def raw(self, method, path, *, version="2024-04-01", **kwargs):
        """A request that the SDK would not make, through its own pipeline."""
        query = f"?api-version={version}" if version else ""
        return self.backup.send_request(HttpRequest(method, f"{path}{query}", **kwargs))


def on_the_wire(resource):
    """The properties as they came. The SDK finds no model two steps below a base class, so neither a protected VM nor a
    protectable one has attributes of its own; Azure's answers meet the same."""
    return resource.properties.as_dict()


def wait(what, look, done):
    """Looks until it is done. Fails with the last thing seen."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = look()
        if done(found):
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not end in {PATIENCE_SECONDS} s; last seen: {found}")
        time.sleep(0.1)


def refused(kind, call, *args, code=None, status=None, **kwargs):
    """The error that a call must end in."""
    try:
        result = call(*args, **kwargs)
        if hasattr(result, "result"):
            result = result.result()
        elif hasattr(result, "__next__"):
            result = list(result)
    except kind as error:
        if isinstance(error, HttpResponseError):
            found = error.error.code if error.error else None
            assert code is None or found == code, f"expected {code}, got {found}: {error}"
            assert status is None or error.status_code == status, f"expected {status}: {error}"
        return error
    raise AssertionError(f"expected {kind.__name__} {code or ''}, got {result!r}")

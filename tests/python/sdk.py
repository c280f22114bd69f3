"""Microsoft's Python SDK runs a virtual machine's whole life against `kluis service`.

One step after the other, each a function whose docstring is what is printed; the
first that fails ends the run. Success is judged by evidence: a restored disk is
compared by its SHA-256, a deleted thing is asked for again.
"""

import sys
import traceback

import disks
import policies
import protection
import requests_refused
import restores
import vaults
from session import Session

STEPS = [
    requests_refused.wrong_secret,
    requests_refused.made_up_token,
    vaults.absent_vault,
    vaults.absent_group,
    vaults.create_vault,
    vaults.read_vaults,
    vaults.patch_vault,
    vaults.soft_delete_off,
    policies.default_policies,
    policies.policies,
    policies.refused_policies,
    protection.discover,
    protection.enable,
    protection.refused_protection,
    policies.policy_in_use,
    disks.back_up,
    disks.recovery_points,
    disks.restore,
    disks.cancel,
    restores.new_machine,
    restores.in_place,
    restores.one_disk,
    protection.stop,
    vaults.vault_in_use,
    requests_refused.bad_requests,
    protection.delete_items,
    vaults.delete_vault,
]


def main():
    session = Session()
    for step in STEPS:
        try:
            step(session)
        except Exception:
            traceback.print_exc()
            print(f"FAILED {step.__name__}: {step.__doc__}", flush=True)
            return 1
        print(f"ok {step.__name__}: {step.__doc__}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())


"""Microsoft's Python SDK against `kluis service`, a scenario at a time: `sdk.py SCENARIO`.

One step after the other, each a function whose docstring is what is printed; the
first that fails ends the run. Success is judged by evidence: a restored disk is
compared by its SHA-256, a deleted thing is asked for again.
"""

import sys
import traceback

import chosen
import disks
import identities
import policies
import policy_kinds
import protection
import questions
import requests_refused
import restores
import stops
import throttled
import vaults
from session import Session

LIFE = [
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

ENDS = [
    vaults.create_vault,
    policies.policies,
    protection.discover,
    protection.enable,
    disks.back_up,
    chosen.validated,
    chosen.disks_by_lun,
    chosen.no_mount,
    stops.change_policy,
    stops.suspend,
    stops.stop_and_resume,
    stops.locked,
    stops.soft_delete_settings,
    stops.delete_softly,
    stops.delete_the_vault_softly,
    stops.delete_for_good,
]

QUESTIONS = [
    vaults.create_vault,
    policies.policies,
    questions.before_protection,
    questions.counts,
    questions.pages,
    questions.spelled_otherwise,
    questions.not_offered,
    questions.kept_for_agents,
]

POLICIES = [
    vaults.create_vault,
    policy_kinds.every_kind,
    policy_kinds.own_kind,
    policy_kinds.delete_every_kind,
    policy_kinds.backup_vault,
    policy_kinds.every_backup_vault_kind,
    policy_kinds.limits,
    policy_kinds.delete_backup_vault,
]

SCENARIOS = {
    "life": LIFE,
    "ends": ENDS,
    "questions": QUESTIONS,
    "policies": POLICIES,
    "identities": [identities.managed_identity, identities.workload_identity],
    "throttled": [vaults.create_vault, throttled.job_reads],
}


def main():
    session = Session()
    for step in SCENARIOS[sys.argv[1]]:
        try:
            step(session)
        except Exception:
            traceback.print_exc()
            print(f"FAILED {step.__name__}: {step.__doc__}", flush=True)
            return 1
        print(f"ok {step.__name__}: {step.__doc__}", flush=True)
    print("the end", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())


//! Planning a BackupService: can it be reached, are we let in, and may it go.

use jiff::SignedDuration;
use kluis_api::{BackupServiceStatus, ConditionType};

use crate::ca_bundle;
use crate::conditions::{Extra, Verdict, moment};
use crate::ids;
use crate::key::ObjectKey;
use crate::plan::{Basis, Next, Plan};
use crate::report::Status;
use crate::step::Action;
use crate::waiting::Waiting;
use crate::world::{Fact, Observed, SecretFact, ServiceWorld, Want, World};

/// How often a service that answers is asked again whether it still lets us in.
const RESYNC: SignedDuration = SignedDuration::from_mins(10);

impl World for ServiceWorld {
    fn object(&self) -> ObjectKey {
        ObjectKey::service(self.service.metadata.name.clone().unwrap_or_default())
    }

    fn wants(&self) -> Vec<Want> {
        if self.is_going() || self.subscription.is_some() || secret(self).is_some() {
            return Vec::new();
        }
        vec![Want::Subscription {
            id: self.service.spec.subscription_id.clone(),
        }]
    }

    fn fill(&mut self, _: &Want, fact: Fact) {
        if let Fact::Subscription(subscription) = fact {
            self.subscription = Some(subscription);
        }
    }

    fn plan(&self) -> Plan {
        plan_service(self)
    }
}

impl ServiceWorld {
    fn is_going(&self) -> bool {
        self.service.metadata.deletion_timestamp.is_some()
    }
}

/// What follows for a BackupService.
pub fn plan_service(world: &ServiceWorld) -> Plan {
    let metadata = &world.service.metadata;
    let before = world.service.status.clone().unwrap_or_default();
    let basis = Basis {
        object: world.object(),
        generation: metadata.generation.unwrap_or_default(),
        now: world.now,
        before: before.conditions.clone(),
        goes_without: None,
    };
    if world.is_going() && world.users.is_empty() {
        return basis.farewell(Action::ReleaseFinalizer);
    }
    let (verdict, next) = match blocked(world) {
        Some(waiting) => (Verdict::waiting(&waiting), waiting.next(world.now)),
        None => {
            let message = format!(
                "{} knows us, and the subscription.",
                world.service.spec.endpoint
            );
            (Verdict::settled("Connected", message), Next::After(RESYNC))
        }
    };
    let name = world
        .subscription
        .as_ref()
        .and_then(Observed::found)
        .map(|subscription| subscription.name.clone());
    let healthy: Vec<Extra> = world.ca_bundle.iter().map(ca_bundle::healthy).collect();
    let status = BackupServiceStatus {
        observed_generation: basis.generation,
        conditions: basis.conditions(ConditionType::Ready, &verdict, &healthy),
        ca_bundle_expires: world.ca_bundle.map(|fact| moment(fact.ends)),
        subscription_name: name.or(before.subscription_name),
    };
    let steps = if world.is_going() || ids::is_held(metadata) {
        Vec::new()
    } else {
        vec![basis.step(Action::HoldFinalizer)]
    };
    basis.plan(steps, Status::Service(status), next)
}

/// The first thing that is in the way.
fn blocked(world: &ServiceWorld) -> Option<Waiting> {
    in_use(world)
        .or_else(|| secret(world))
        .or_else(|| subscription(world))
}

fn in_use(world: &ServiceWorld) -> Option<Waiting> {
    world.is_going().then(|| Waiting::InUse {
        by: world.users.clone(),
    })
}

fn secret(world: &ServiceWorld) -> Option<Waiting> {
    let reference = world.service.spec.credential.secret_ref.as_ref();
    let secret = || {
        reference
            .map(|reference| reference.name.clone())
            .unwrap_or_default()
    };
    match world.secret {
        SecretFact::NotNeeded | SecretFact::Found => None,
        SecretFact::SecretMissing => Some(Waiting::SecretNotFound {
            secret: secret(),
            key: None,
        }),
        SecretFact::KeyMissing => Some(Waiting::SecretNotFound {
            secret: secret(),
            key: Some(reference.map(|r| r.key.clone()).unwrap_or_default()),
        }),
    }
}

fn subscription(world: &ServiceWorld) -> Option<Waiting> {
    match world.subscription.as_ref()? {
        Observed::Found(_) => None,
        Observed::Absent => Some(Waiting::SubscriptionNotFound {
            subscription: world.service.spec.subscription_id.clone(),
        }),
        Observed::Unknown(failure) => Some(Waiting::Arm(failure.clone())),
    }
}

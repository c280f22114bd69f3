//! What the operator would do: its own observation and its own plan, and nothing after them. No step is taken, no status
//! is written.

use std::{error::Error, sync::Arc};

use jiff::Timestamp;
use kluis_plan::{ArmFailure, Edit, Plan};

use crate::{
    backoff::Backoff,
    clock::{RandomIds, SystemClock},
    crash::CrashHook,
    ctx::Ctx,
    fence::Fence,
    key::Key,
    metrics::Metrics,
    objects::Objects,
    observe::{Observation, observe},
    services::Services,
};

/// Looks, and never acts.
pub struct Preview {
    ctx: Ctx,
}

/// What the operator would make of an object.
#[derive(Debug)]
pub struct Previewed {
    pub plan: Plan,
    /// Changes of what keeps recovery points.
    pub edits: Vec<Edit>,
    /// The service's time when it was looked at.
    pub now: Timestamp,
    /// What could not be read, the worst of it.
    pub unread: Option<ArmFailure>,
}

/// Why nothing can be said of an object.
#[derive(Debug, thiserror::Error)]
#[error("{key} cannot be planned for")]
pub struct PreviewError {
    pub key: Key,
    #[source]
    source: Box<dyn Error + Send + Sync>,
}

impl Preview {
    /// Of these objects and services.
    pub fn new(objects: Arc<dyn Objects>, services: Arc<dyn Services>) -> Self {
        Self {
            ctx: Ctx {
                objects,
                services,
                clock: Arc::new(SystemClock),
                ids: Arc::new(RandomIds),
                metrics: Arc::new(Metrics::default()),
                backoff: Backoff::default(),
                crash: CrashHook::default(),
                fence: Fence::closed(),
            },
        }
    }

    /// What the operator would do about an object at its next look; none for one that is not there.
    ///
    /// # Errors
    /// When the objects around it cannot be read. What ARM doesn't answer is part of the plan.
    pub async fn of(&self, key: &Key) -> Result<Option<Previewed>, PreviewError> {
        let failed = |source: Box<dyn Error + Send + Sync>| PreviewError {
            key: key.clone(),
            source,
        };
        let known = self.ctx.objects.known(key).await;
        let Some(object) = known.map_err(|error| failed(Box::new(error)))? else {
            return Ok(None);
        };
        let Observation {
            world,
            lines,
            failure,
        } = observe(key, &object, &self.ctx)
            .await
            .map_err(|error| failed(Box::new(error)))?;
        Ok(Some(Previewed {
            plan: world.plan(),
            edits: world.edits(),
            now: lines.now(),
            unread: failure,
        }))
    }
}

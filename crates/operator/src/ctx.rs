//! All that a reconcile may touch.

use std::sync::Arc;

use crate::{
    backoff::Backoff,
    clock::{Clock, Ids},
    crash::CrashHook,
    fence::Fence,
    metrics::Metrics,
    objects::Objects,
    services::Services,
};

/// Objects, ARM, the clock and chance; held by the process, or by a simulation.
pub struct Ctx {
    pub objects: Arc<dyn Objects>,
    pub services: Arc<dyn Services>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub metrics: Arc<Metrics>,
    pub backoff: Backoff,
    pub crash: CrashHook,
    /// Whether what is to be written is still ours to write.
    pub fence: Fence,
}

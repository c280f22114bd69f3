//! What a service offers beyond Azure's operations, as it announces it itself: asked once an hour, whoever wants to know.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use kluis_client::{Arm as _, ArmRequest, Failure};
use serde_json::Value;

use super::Line;

/// The api-version of `/metadata/endpoints`.
const METADATA: &str = "2022-09-01";
/// A service that was upgraded meanwhile offers more.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(1);

/// The announcement, and until when it is believed.
#[derive(Debug, Default)]
pub(super) struct Announced(Mutex<Option<(Timestamp, Value)>>);

impl Line {
    /// What stands before a path to ask for this extension; none where the service has none.
    ///
    /// # Errors
    /// When the service does not answer.
    pub(crate) async fn extension(&self, name: &str) -> Result<Option<String>, Failure> {
        let now = self.clock.now();
        let known = {
            let known = self.announced.0.lock();
            let known = known.unwrap_or_else(PoisonError::into_inner);
            known.clone().filter(|(until, _)| *until > now)
        };
        let offered = match known {
            Some((_, offered)) => offered,
            None => {
                let request = ArmRequest::get("/metadata/endpoints", METADATA);
                // An answer that is no object (Azure's is a list of clouds) announces nothing, and neither does none.
                let body = match self.call(&request).await {
                    Err(failure) if failure.is_absent() => None,
                    answer => answer?.body,
                };
                let offered = body.map_or(Value::Null, |body| body["kluis"].clone());
                let until = now.saturating_add(REMEMBERED).unwrap_or(now);
                let known = self.announced.0.lock();
                *known.unwrap_or_else(PoisonError::into_inner) = Some((until, offered.clone()));
                offered
            }
        };
        let prefix = offered[name].as_str();
        let ours = prefix.filter(|prefix| prefix.starts_with("/kluis/"));
        Ok(ours.map(str::to_owned))
    }
}

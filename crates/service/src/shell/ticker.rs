//! Ticks when something becomes due.

use std::sync::Arc;
use std::time::Duration;

use super::engine::Engine;
use crate::core;

/// Time may jump (a suspended machine, a corrected clock): it is looked at this often whatever is due.
const AT_LEAST: Duration = Duration::from_secs(30);
/// Nothing is due more often than this; also the pause after a failure.
const AT_MOST: Duration = Duration::from_secs(1);

/// Ticks until the service stops. A virtual clock is ticked by whoever moves it; here, only what a change made due at the moment
/// where it stands.
pub(super) async fn tick(engine: Arc<Engine>) {
    let stands_still = engine.clock.is_virtual();
    while !engine.is_stopping() {
        let at = Arc::clone(&engine);
        if stands_still {
            engine.wake.notified().await;
        }
        let next = tokio::task::spawn_blocking(move || {
            at.tick()?;
            Ok::<_, crate::store::StoreError>(
                at.read(core::next_due)?
                    .map(|due| due.duration_since(at.now())),
            )
        });
        let pause = match next.await {
            Ok(Ok(Some(until))) => Duration::try_from(until)
                .unwrap_or(AT_MOST)
                .clamp(AT_MOST, AT_LEAST),
            Ok(Ok(None)) => AT_LEAST,
            Ok(Err(error)) => {
                tracing::error!(error = %crate::store::chain(&error), "what is due could not be done; trying again");
                AT_MOST
            }
            Err(error) => {
                tracing::error!(%error, "what is due could not be done; trying again");
                AT_MOST
            }
        };
        if stands_still {
            continue;
        }
        // A change of the state may bring something due sooner, so it ends the pause; but each tick is a change itself, so a
        // pause never ends before it has lasted a moment.
        tokio::time::sleep(AT_MOST).await;
        tokio::select! {
            () = tokio::time::sleep(pause.saturating_sub(AT_MOST)) => {}
            () = engine.wake.notified() => {}
        }
    }
}

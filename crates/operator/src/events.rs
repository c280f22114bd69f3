//! Events for people, told beside the work: nobody waits for one to be written, and one that is lost changes nothing.

use k8s_openapi::api::core::v1::ObjectReference;
use kluis_api::{GROUP, VERSION};
use kluis_plan::{Event, EventKind};
use kube::{
    Client,
    runtime::events::{self, Recorder, Reporter},
};
use tokio::sync::mpsc;

use crate::key::Key;

/// The API server takes no more in an event.
const MOST_OF_A_NOTE: usize = 1024;
/// Events on their way. Beyond that they are dropped: whoever has more to say at once is not read.
const ON_THE_WAY: usize = 1024;

/// Where events are handed in.
pub(crate) struct Events(mpsc::Sender<(events::Event, ObjectReference)>);

impl Events {
    /// Begins to write them, until this is dropped. `instance` is who we are among replicas.
    pub(crate) fn begin(client: Client, instance: String) -> Self {
        let reporter = Reporter {
            controller: format!("{GROUP}/operator"),
            instance: Some(instance),
        };
        let recorder = Recorder::new(client, reporter);
        let (sender, mut events) = mpsc::channel(ON_THE_WAY);
        tokio::spawn(async move {
            while let Some((event, about)) = events.recv().await {
                if let Err(error) = recorder.publish(&event, &about).await {
                    let name = about.name.as_deref().unwrap_or_default();
                    tracing::warn!(object = name, %error, reason = event.reason, "an event was lost");
                }
            }
        });
        Self(sender)
    }

    /// Hands one in.
    pub(crate) fn tell(&self, key: &Key, uid: &str, event: &Event) {
        let about = ObjectReference {
            api_version: Some(format!("{GROUP}/{VERSION}")),
            kind: Some(key.kind.to_string()),
            namespace: key.namespace.clone(),
            name: Some(key.name.clone()),
            uid: Some(uid.to_owned()),
            ..ObjectReference::default()
        };
        let event = events::Event {
            type_: match event.kind {
                EventKind::Normal => events::EventType::Normal,
                EventKind::Warning => events::EventType::Warning,
            },
            reason: event.reason.clone(),
            note: Some(shortened(&event.note)),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        if self.0.try_send((event, about)).is_err() {
            tracing::debug!(object = %key, "an event was dropped: too many are on their way");
        }
    }
}

fn shortened(note: &str) -> String {
    let mut end = note.len().min(MOST_OF_A_NOTE);
    while !note.is_char_boundary(end) {
        end -= 1;
    }
    note[..end].to_owned()
}

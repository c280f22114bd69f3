//! Ways into the queue, for whoever sees that something has changed.

use tokio::sync::mpsc;

use crate::key::Key;

/// Names on their way to the queue, before whoever wakes has to wait. The queue itself holds each name once.
const ON_THE_WAY: usize = 4096;

/// A call for a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    /// At once.
    Now(Key),
    /// Soon: what others do is told of again and again.
    Calmly(Key),
}

/// The way in.
#[derive(Debug, Clone)]
pub(crate) struct Wake(mpsc::Sender<Call>);

/// The way in, and its end at the queue.
pub(crate) fn way_in() -> (Wake, mpsc::Receiver<Call>) {
    let (sender, calls) = mpsc::channel(ON_THE_WAY);
    (Wake(sender), calls)
}

impl Wake {
    pub(crate) async fn all(&self, keys: impl IntoIterator<Item = Key>) {
        for key in keys {
            // A closed queue is one that is stopping.
            let _ = self.0.send(Call::Now(key)).await;
        }
    }

    pub(crate) async fn all_calmly(&self, keys: impl IntoIterator<Item = Key>) {
        for key in keys {
            let _ = self.0.send(Call::Calmly(key)).await;
        }
    }

    /// For those who must not wait. What finds no room is looked at when it is due anyway.
    pub(crate) fn now(&self, key: Key) {
        let _ = self.0.try_send(Call::Now(key));
    }
}

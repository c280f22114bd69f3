//! The synchronous core: a request, the time and a transaction in; a response and effects out.
//!
//! It owns no socket, no clock, no process and no file: the shell brings the time and the ids in a [`Context`], carries out
//! the [`Effect`]s once the transaction is committed, and reports back what came of them. That is what lets a simulation
//! hold the whole service in memory.

mod clock_trust;
mod context;
mod effect;
mod gauge;
mod page;
mod path;
mod refusal;
mod request;
mod response;
mod router;
mod service_time;

pub use clock_trust::{ClockGap, ClockTrust, ClockVerdict};
pub use context::{AuditGap, Context, Facts, Ids, InstantRestore, OnDemand, Scrub};
pub use effect::{BitmapReport, Effect, MoverReport, RepositoryReport, What};
pub use gauge::Gauge;
pub use page::{PageKey, page, page_newest_first, page_of};
pub use path::{VaultKey, VaultPath, decode};
pub use refusal::{Answer, Refusal};
pub use request::{Principal, Query, Request, Role};
pub use response::{Nearer, Response};
pub use router::{
    busy, clock_was_set, gauges, handle, held_back, holds_data, last_known_time, next_due,
    on_bitmaps, on_mover, on_repository, resume, tick,
};
pub use service_time::{AGREE, ClockReading, ServiceTime, plausible};

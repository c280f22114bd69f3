//! A list as it came in: its entries, when they were told, and in how many pages.

use std::sync::{
    OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use jiff::Timestamp;
use kluis_arm::api_version::SENT;
use kluis_client::{Arm, ArmRequest, ArmResponse, Failure, pages};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{line::Line, listing::Silence};

/// All entries of a list.
#[derive(Debug)]
pub(super) struct Pages<T> {
    pub(super) entries: Vec<T>,
    /// The service's clock when it gave the first page: a list is as old as that.
    pub(super) date: Option<Timestamp>,
    /// What follows for what is not among them.
    pub(super) silence: Silence,
}

/// Reads a list, all its pages, and keeps of each entry what `keep` makes of it. An entry that cannot be read fails it: left out, it would
/// look absent.
///
/// # Errors
/// Those of [`pages`].
pub(super) async fn read<T: DeserializeOwned, U: Send>(
    line: &Line,
    request: ArmRequest,
    keep: impl Fn(T) -> Option<U> + Send + Sync,
) -> Result<Pages<U>, Failure> {
    let operation = request.to_string();
    let witness = Witness {
        line,
        first: OnceLock::new(),
        pages: AtomicUsize::new(0),
    };
    let mut entries = Vec::new();
    pages(&witness, request, |page| {
        for entry in page {
            entries.extend(keep(decoded(&operation, entry)?));
        }
        Ok(())
    })
    .await?;
    Ok(Pages {
        entries,
        date: witness.first.get().copied().flatten(),
        silence: match witness.pages.into_inner() {
            0 | 1 => Silence::IsAbsence,
            _ => Silence::SaysNothing,
        },
    })
}

/// One resource; none where there is none.
///
/// # Errors
/// When it cannot be read.
pub(super) async fn one<T: DeserializeOwned>(
    line: &Line,
    id: String,
) -> Result<Option<T>, Failure> {
    let request = ArmRequest::get(id, SENT);
    match line.call(&request).await {
        Ok(answer) => decoded(&request.to_string(), answer.body.unwrap_or_default()).map(Some),
        Err(failure) if failure.is_absent() => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn decoded<T: DeserializeOwned>(operation: &str, body: Value) -> Result<T, Failure> {
    serde_json::from_value(body).map_err(|error| Failure::Unreadable {
        operation: operation.to_owned(),
        problem: error.to_string(),
    })
}

/// A line that remembers when it was answered first, and how often.
struct Witness<'a> {
    line: &'a Line,
    first: OnceLock<Option<Timestamp>>,
    pages: AtomicUsize,
}

#[async_trait::async_trait]
impl Arm for Witness<'_> {
    async fn call(&self, request: &ArmRequest) -> Result<ArmResponse, Failure> {
        let answer = self.line.call(request).await?;
        self.first.get_or_init(|| answer.date);
        self.pages.fetch_add(1, Ordering::Relaxed);
        Ok(answer)
    }

    fn follow(&self, link: &str) -> Result<ArmRequest, Failure> {
        self.line.follow(link)
    }
}

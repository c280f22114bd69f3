//! The one thing callers need of a service, and the two habits of ARM built on it: pages and operations.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use kluis_arm::operation::{OperationState, OperationStatus};
use serde_json::Value;

use crate::{ArmRequest, ArmResponse, Failure};

/// Pages read of one list. Azure's pages hold 50 to 1,000 entries; a vault has at most 2,000 items.
pub const MAX_PAGES: usize = 100;
/// Pages without an entry that are read one after another. A filter may leave some empty, but not many.
pub const MAX_EMPTY_PAGES: usize = 10;
/// Entries read of one list: an item has at most 9,999 recovery points.
pub const MAX_ITEMS: usize = 20_000;

/// A service that speaks ARM.
#[async_trait]
pub trait Arm: Send + Sync {
    /// One request, one answer below 300. Never tries again and never waits for an operation.
    async fn call(&self, request: &ArmRequest) -> Result<ArmResponse, Failure>;

    /// The request that reads a link which this service gave.
    ///
    /// # Errors
    /// [`Failure::StrayLink`] when it leads to another host.
    fn follow(&self, link: &str) -> Result<ArmRequest, Failure>;
}

/// The entries of a list, all pages of it.
///
/// # Errors
/// That of the first page that failed: half a list is no list, because what is missing from it would look absent.
/// [`Failure::Unreadable`] also for a list that leads back to a page of its own, or exceeds [`MAX_PAGES`],
/// [`MAX_EMPTY_PAGES`] or [`MAX_ITEMS`]: a service that has lost its way is not asked without an end.
pub async fn list(arm: &dyn Arm, request: ArmRequest) -> Result<Vec<Value>, Failure> {
    let mut items = Vec::new();
    pages(arm, request, |page| {
        items.extend(page);
        Ok(())
    })
    .await?;
    Ok(items)
}

/// The same, page by page: what a page holds of which little is kept need not be held until the last one.
///
/// # Errors
/// Those of [`list`], and the first that `take` gives.
pub async fn pages(
    arm: &dyn Arm,
    request: ArmRequest,
    mut take: impl FnMut(Vec<Value>) -> Result<(), Failure> + Send,
) -> Result<(), Failure> {
    let operation = request.to_string();
    let unreadable = |problem: String| Failure::Unreadable {
        operation: operation.clone(),
        problem,
    };
    let mut count = 0;
    let mut next = Some(request);
    let mut asked: Vec<ArmRequest> = Vec::new();
    let mut empty = 0;
    while let Some(request) = next {
        let same = |other: &ArmRequest| other.path == request.path && other.query == request.query;
        if asked.iter().any(same) {
            let page = asked.len();
            return Err(unreadable(format!(
                "page {page} leads back to one before it"
            )));
        }
        if asked.len() >= MAX_PAGES {
            return Err(unreadable(format!("more than {MAX_PAGES} pages")));
        }
        let mut body = arm.call(&request).await?.body.unwrap_or_default();
        match body.get_mut("value").map(Value::take) {
            Some(Value::Array(page)) => {
                empty = if page.is_empty() { empty + 1 } else { 0 };
                count += page.len();
                if count > MAX_ITEMS {
                    return Err(unreadable(format!("more than {MAX_ITEMS} entries")));
                }
                take(page)?;
            }
            _ => return Err(unreadable("a list without \"value\"".to_owned())),
        }
        if empty > MAX_EMPTY_PAGES {
            let problem = format!("more than {MAX_EMPTY_PAGES} pages without an entry");
            return Err(unreadable(problem));
        }
        asked.push(request);
        next = match body.get("nextLink").and_then(Value::as_str) {
            None | Some("") => None,
            Some(link) => Some(arm.follow(link)?),
        };
    }
    Ok(())
}

/// How far a long-running operation is, read once.
#[derive(Debug, Clone, PartialEq)]
pub struct OperationReading {
    /// `status` is always there.
    pub document: OperationStatus,
    /// When the service wants to be asked again.
    pub retry_after: Option<SignedDuration>,
    pub date: Option<Timestamp>,
}

/// Reads the status of a long-running operation from the URL that its `Azure-AsyncOperation` or `Location` header
/// gave. Behind the first is a document with a status; behind the second 202 while it runs and then whatever it made,
/// so an answer without a status tells by its code.
///
/// # Errors
/// As [`Arm::call`].
pub async fn operation(arm: &dyn Arm, url: &str) -> Result<OperationReading, Failure> {
    let request = arm.follow(url)?;
    let answer = arm.call(&request).await?;
    let document: Option<OperationStatus> = answer
        .body
        .filter(|body| body["status"].is_string())
        .and_then(|body| serde_json::from_value(body).ok());
    let document = document.unwrap_or_else(|| OperationStatus {
        status: Some(match answer.status {
            202 => OperationState::InProgress,
            _ => OperationState::Succeeded,
        }),
        ..OperationStatus::default()
    });
    Ok(OperationReading {
        document,
        retry_after: answer.retry_after,
        date: answer.date,
    })
}

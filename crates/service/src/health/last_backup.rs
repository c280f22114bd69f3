//! The last backup failed.

use super::{Problem, Severity};
use crate::backup::rows::Item;
use crate::core::Context;
use crate::store::{StoreError, Tx};

pub(super) fn problems(
    _: &Context<'_>,
    _: &Tx<'_>,
    item: &Item,
) -> Result<Vec<Problem>, StoreError> {
    let failed = item
        .last_backup
        .as_ref()
        .and_then(|last| Some((last.began, last.fault.as_ref()?)));
    let problem = failed.map(|(began, fault)| Problem {
        code: i32::try_from(fault.code).unwrap_or_default(),
        severity: Severity::Error,
        title: fault.title.clone(),
        message: format!("The last backup failed. {}", fault.message),
        recommendations: fault.recommendations.clone(),
        since: Some(began),
    });
    Ok(problem.into_iter().collect())
}

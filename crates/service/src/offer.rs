//! Which of Azure's operations on recovery services vaults this service offers: the table `offer.tsv`, an operation a line.
//!
//! An operation that is `served` has a route. All others are answered from the table alone, and so in one place: a list that
//! is always empty, a resource that never exists, a deletion of nothing, or a refusal that says what there is instead. The
//! published table, `docs/operations.md`, is this one.

use crate::core::{Refusal, Request, Response, page};

const TABLE: &str = include_str!("offer.tsv");

/// One of Azure's operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Its name in Microsoft's clients: `BackupJobs.list`.
    pub name: &'static str,
    /// Its method.
    pub method: &'static str,
    /// Its path: `S/…` below a subscription's provider, `G/…` below a resource group's, `V/…` below a vault. A segment in
    /// braces stands for any one.
    pub path: &'static str,
    /// What this service makes of it.
    pub state: State,
    /// What a person should know. Of what is not offered it is the message of the error.
    pub says: &'static str,
}

/// What this service makes of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It does what Azure does.
    Served,
    /// It answers a list without entries: there is nothing of the kind.
    Empty,
    /// It answers 204: what is to be deleted is never there.
    Nothing,
    /// It answers 404 with this code: the resource never exists.
    Absent(&'static str),
    /// It answers 400 with this code.
    Refused(&'static str),
}

/// All operations, in the order of the table.
pub fn operations() -> impl Iterator<Item = Operation> {
    TABLE.lines().skip(1).filter_map(Operation::read)
}

/// Answers a request that no route answers: `base` is where `words`, the rest of its path in lower case, begins. `None` when
/// the operation has a route, and when it is not one of the table.
pub fn instead(request: &Request, base: Base, words: &[&str]) -> Option<Result<Response, Refusal>> {
    let there: Vec<Operation> = operations()
        .filter(|known| known.is_at(base, words))
        .collect();
    let Some(known) = there.iter().find(|known| request.method == *known.method) else {
        let methods: Vec<&str> = there.iter().map(|known| known.method).collect();
        return (!there.is_empty()).then(|| {
            Err(Refusal::other_method(
                &request.method,
                &request.path,
                &methods,
            ))
        });
    };
    match known.state {
        State::Served => None,
        State::Empty => Some(page(request, [])),
        State::Nothing => Some(Ok(Response::empty(204))),
        State::Absent(code) => Some(Err(Refusal::not_found(code, known.says))),
        State::Refused(code) => Some(Err(Refusal::bad_request(code, known.says))),
    }
}

/// Where a path of the table begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// `/subscriptions/{s}/providers/Microsoft.RecoveryServices`.
    Subscription,
    /// `/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.RecoveryServices`.
    Group,
    /// `…/vaults/{v}`.
    Vault,
}

impl Base {
    fn letter(self) -> &'static str {
        match self {
            Self::Subscription => "S",
            Self::Group => "G",
            Self::Vault => "V",
        }
    }
}

impl Operation {
    fn read(line: &'static str) -> Option<Self> {
        let mut cells = line.split('\t');
        let mut cell = || cells.next();
        let (name, method, path, state, code, says) =
            (cell()?, cell()?, cell()?, cell()?, cell()?, cell()?);
        let state = match state {
            "served" => State::Served,
            "empty" => State::Empty,
            "nothing" => State::Nothing,
            "absent" => State::Absent(code),
            "refused" => State::Refused(code),
            _ => return None,
        };
        Some(Self {
            name,
            method,
            path,
            state,
            says,
        })
    }

    fn is_at(&self, base: Base, words: &[&str]) -> bool {
        let mut segments = self.path.split('/');
        segments.next() == Some(base.letter())
            && segments.clone().count() == words.len()
            && segments.zip(words).all(|(segment, word)| {
                segment.starts_with('{') || segment.eq_ignore_ascii_case(word)
            })
    }

    /// Its whole path, as Azure publishes it.
    #[must_use]
    pub fn full_path(&self) -> String {
        let provider = "providers/Microsoft.RecoveryServices";
        let group = format!(
            "/subscriptions/{{subscriptionId}}/resourceGroups/{{resourceGroupName}}/{provider}"
        );
        match self.path.split_at_checked(1) {
            Some(("S", rest)) => format!("/subscriptions/{{subscriptionId}}/{provider}{rest}"),
            Some(("G", rest)) => format!("{group}{rest}"),
            Some(("V", rest)) => format!("{group}/vaults/{{vaultName}}{rest}"),
            _ => self.path.to_owned(),
        }
    }
}

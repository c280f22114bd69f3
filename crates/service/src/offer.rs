//! Which of Azure's operations on recovery services vaults and on backup vaults this service offers: the table `offer.tsv`, an
//! operation a line.
//!
//! An operation that is `served` has a route. All others are answered from the table alone, and so in one place: a list that
//! is always empty, a resource that never exists, a deletion of nothing, or a refusal that says what there is instead. The
//! published table, `docs/operations.md`, is this one.

use std::sync::LazyLock;

use crate::core::{Refusal, Request, Response, page};

const TABLE: &str = include_str!("offer.tsv");

/// One of Azure's operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Its name in Microsoft's clients: `BackupJobs.list`.
    pub name: &'static str,
    /// Its method.
    pub method: &'static str,
    /// Its path, which begins with a [`Base`]'s letters: `V/…` below a vault. A segment in braces stands for any one.
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
    // Each request asks.
    static ALL: LazyLock<Vec<Operation>> = LazyLock::new(|| operations().collect());
    let there: Vec<&Operation> = ALL
        .iter()
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
    /// `/providers/Microsoft.DataProtection`.
    DataProtectionTenant,
    /// `/{resourceId}/providers/Microsoft.DataProtection`, below whatever can be protected.
    DataProtectionResource,
    /// `/subscriptions/{s}/providers/Microsoft.DataProtection`.
    DataProtectionSubscription,
    /// `/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.DataProtection`.
    DataProtectionGroup,
    /// `…/backupVaults/{v}`.
    BackupVault,
}

impl Base {
    const ALL: [Self; 8] = [
        Self::Subscription,
        Self::Group,
        Self::Vault,
        Self::DataProtectionTenant,
        Self::DataProtectionResource,
        Self::DataProtectionSubscription,
        Self::DataProtectionGroup,
        Self::BackupVault,
    ];

    /// What paths of the table begin with.
    fn letters(self) -> &'static str {
        match self {
            Self::Subscription => "S",
            Self::Group => "G",
            Self::Vault => "V",
            Self::DataProtectionTenant => "DT",
            Self::DataProtectionResource => "DR",
            Self::DataProtectionSubscription => "DS",
            Self::DataProtectionGroup => "DG",
            Self::BackupVault => "D",
        }
    }

    /// What that stands for.
    fn full(self) -> &'static str {
        match self {
            Self::Subscription => {
                "/subscriptions/{subscriptionId}/providers/Microsoft.RecoveryServices"
            }
            Self::Group => {
                "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.RecoveryServices"
            }
            Self::Vault => {
                "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.RecoveryServices/vaults/{vaultName}"
            }
            Self::DataProtectionTenant => "/providers/Microsoft.DataProtection",
            Self::DataProtectionResource => "/{resourceId}/providers/Microsoft.DataProtection",
            Self::DataProtectionSubscription => {
                "/subscriptions/{subscriptionId}/providers/Microsoft.DataProtection"
            }
            Self::DataProtectionGroup => {
                "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.DataProtection"
            }
            Self::BackupVault => {
                "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.DataProtection/backupVaults/{vaultName}"
            }
        }
    }

    /// Whether it is Microsoft.DataProtection's.
    #[must_use]
    pub fn is_of_data_protection(self) -> bool {
        !matches!(self, Self::Subscription | Self::Group | Self::Vault)
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
        segments.next() == Some(base.letters())
            && segments.clone().count() == words.len()
            && segments.zip(words).all(|(segment, word)| {
                segment.starts_with('{') || segment.eq_ignore_ascii_case(word)
            })
    }

    /// Where its path begins; `None` if the table says nothing that is known.
    #[must_use]
    pub fn base(&self) -> Option<Base> {
        let letters = self.path.split('/').next();
        Base::ALL
            .into_iter()
            .find(|base| letters == Some(base.letters()))
    }

    /// Its whole path, as Azure publishes it.
    #[must_use]
    pub fn full_path(&self) -> String {
        self.base().map_or_else(
            || self.path.to_owned(),
            |base| self.path.replacen(base.letters(), base.full(), 1),
        )
    }
}

//! The lines that one reconcile may use: one for each service that its object's vaults are on.

use std::sync::Arc;

use jiff::Timestamp;
use kluis_api::{BackupService, Vault};
use kluis_client::Arm;
use kluis_plan::{ArmFailure, Cause, Fact, Want};

use super::read::{doing, failed, read, vault_of};
use super::vault_key::VaultKey;
use crate::{
    arm::{Freshness, Line},
    ctx::Ctx,
    failure::arm_failure,
    objects::ObjectsError,
};

/// Lines, and the time that they tell.
pub(crate) struct Lines {
    lines: Vec<Reach>,
    local_now: Timestamp,
    /// The `Date` of the last answer.
    told: Option<Timestamp>,
    /// The object is as declared, and nothing is under way or due.
    rests: bool,
}

/// A service, the vault that is reached through it, and the line or why there is none.
struct Reach {
    /// None for the service as a whole.
    vault: Option<VaultKey>,
    line: Result<Arc<Line>, ArmFailure>,
}

impl Lines {
    /// No line yet.
    pub(super) fn none(ctx: &Ctx) -> Self {
        Self {
            lines: Vec::new(),
            local_now: ctx.clock.now(),
            told: None,
            rests: false,
        }
    }

    /// The object is as declared, and nothing is under way or due: what is read may be old.
    pub(super) fn rest(&mut self) {
        self.rests = true;
    }

    /// The line to one service, for all that is asked.
    pub(super) async fn one(
        service: Option<&BackupService>,
        ctx: &Ctx,
    ) -> Result<Self, ObjectsError> {
        let mut lines = Self::none(ctx);
        lines.add(service, None, ctx).await?;
        Ok(lines)
    }

    /// Adds the line to a service, for what is asked of `vault`. Without a service there is none.
    pub(super) async fn add(
        &mut self,
        service: Option<&BackupService>,
        vault: Option<&Vault>,
        ctx: &Ctx,
    ) -> Result<(), ObjectsError> {
        let Some(service) = service else {
            return Ok(());
        };
        let name = service.metadata.name.as_deref().unwrap_or_default();
        let line = ctx.services.line(name, &service.spec).await?;
        let now = self.now();
        let line = line.map_err(|failure| {
            arm_failure(
                format!("connecting to {}", service.spec.endpoint),
                &failure,
                now,
            )
        });
        let vault = vault.map(|vault| {
            let name = vault.spec.azure_name.as_ref();
            let name = name.or(vault.metadata.name.as_ref());
            VaultKey::new(
                &service.spec.subscription_id,
                &vault.spec.resource_group,
                name.map_or("", String::as_str),
            )
        });
        self.lines.push(Reach { vault, line });
        Ok(())
    }

    /// The service's time: the `Date` of its last answer in this reconcile, or what is known of it from earlier ones.
    pub(crate) fn now(&self) -> Timestamp {
        let known = self.lines.iter().find_map(|reach| reach.line.as_ref().ok());
        self.told
            .or_else(|| known.map(|line| line.now()))
            .unwrap_or(self.local_now)
    }

    /// Whether every service's clock agrees with ours.
    pub(super) fn clocks_agree(&self) -> bool {
        let mut reached = self.lines.iter();
        reached.all(|reach| reach.line.as_ref().is_ok_and(|line| line.clocks_agree()))
    }

    /// Reads what is wanted, from memory where that is a moment old at most.
    pub(crate) async fn read(&mut self, want: &Want) -> (Fact, Option<ArmFailure>) {
        let fresh = match self.rests {
            true => Freshness::Rest,
            false => Freshness::Moment,
        };
        self.read_as(want, fresh).await
    }

    /// Reads what is wanted, no older than that.
    pub(crate) async fn read_as(
        &mut self,
        want: &Want,
        fresh: Freshness,
    ) -> (Fact, Option<ArmFailure>) {
        let line = match self.line_for(want) {
            Ok(line) => line,
            Err(failure) => return (failed(want, failure.clone()), Some(failure)),
        };
        let result = read(&line, want, fresh, self.now()).await;
        self.told = line.told().or(self.told);
        match result {
            Ok(fact) => (fact, None),
            Err(failure) => (failed(want, failure.clone()), Some(failure)),
        }
    }

    /// The line for a want: that of its vault, that which can follow its URL, or the only one.
    fn line_for(&self, want: &Want) -> Result<Arc<Line>, ArmFailure> {
        let line = match want {
            Want::Progress { url } => self.line_where(|reach| {
                let line = reach.line.as_ref().ok();
                line.is_some_and(|line| line.follow(url).is_ok())
            }),
            other => self.line_to(vault_of(other).as_ref()),
        };
        line.map_err(|failure| ArmFailure {
            doing: doing(want),
            ..failure
        })
    }

    /// The line to the service that has this vault.
    pub(crate) fn line_to(&self, vault: Option<&VaultKey>) -> Result<Arc<Line>, ArmFailure> {
        self.line_where(|reach| {
            reach.vault.is_none() || vault.is_none() || reach.vault.as_ref() == vault
        })
    }

    /// The first line that fits. One that doesn't is never taken instead: it leads to another service.
    fn line_where(&self, fits: impl Fn(&Reach) -> bool) -> Result<Arc<Line>, ArmFailure> {
        let broken = self.lines.iter().find(|reach| reach.line.is_err());
        match self.lines.iter().find(|reach| fits(reach)).or(broken) {
            Some(reach) => reach.line.clone(),
            None => Err(ArmFailure {
                doing: "connecting".to_owned(),
                cause: Cause::Malformed {
                    message: "it belongs to no service that this object may use".to_owned(),
                },
            }),
        }
    }

    /// How often the service may be looked at, of all lines the most patient; none without a line.
    pub(crate) fn patience(&self) -> Option<jiff::SignedDuration> {
        let lines = self
            .lines
            .iter()
            .filter_map(|reach| reach.line.as_ref().ok());
        let patience = lines.map(|line| match self.rests {
            true => line.limits().rest_age,
            false => line.limits().longest_wait,
        });
        patience.max()
    }
}

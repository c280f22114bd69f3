//! The world around a BackupService: its Secret, who uses it, and the subscription behind it.

use kluis_api::{BackupService, CredentialType};
use kluis_plan::{CaBundleFact, SecretFact, ServiceWorld};
use serde_json::Value;

use super::{Lines, Observation, ObserveError, complete, objects};
use crate::{
    ctx::Ctx,
    key::{Key, Kind},
    objects::SecretValue,
};

pub(super) async fn observe(
    key: &Key,
    object: &Value,
    ctx: &Ctx,
) -> Result<Observation, ObserveError> {
    let service: BackupService = objects::decode(key, object)?;
    let secret = secret(&service, ctx).await?;
    // Without its Secret there is nothing to connect with, and no plan asks for more.
    let lines = match secret {
        SecretFact::NotNeeded | SecretFact::Found => Lines::one(Some(&service), ctx).await?,
        SecretFact::SecretMissing | SecretFact::KeyMissing => Lines::none(ctx),
    };
    let world = ServiceWorld {
        now: lines.now(),
        users: objects::users(key, &[Kind::Vault], ctx).await?,
        ca_bundle: ca_bundle(&service, ctx),
        service,
        secret,
        subscription: None,
    };
    Ok(complete(world, |world, now| world.now = now, lines).await)
}

fn ca_bundle(service: &BackupService, ctx: &Ctx) -> Option<CaBundleFact> {
    let ends = kluis_client::ca_bundle_ends(service.spec.ca_bundle.as_deref()?)?;
    let left = ends.duration_since(ctx.clock.now());
    let days_left = left.as_secs().div_euclid(24 * 60 * 60);
    Some(CaBundleFact { ends, days_left })
}

async fn secret(service: &BackupService, ctx: &Ctx) -> Result<SecretFact, ObserveError> {
    let credential = &service.spec.credential;
    let named = credential
        .secret_ref
        .as_ref()
        .filter(|_| credential.type_ == CredentialType::ClientSecret);
    let Some(named) = named else {
        return Ok(SecretFact::NotNeeded);
    };
    Ok(match ctx.objects.secret(&named.name, &named.key).await? {
        SecretValue::Found(_) => SecretFact::Found,
        SecretValue::KeyMissing => SecretFact::KeyMissing,
        SecretValue::SecretMissing => SecretFact::SecretMissing,
    })
}

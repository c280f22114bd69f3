//! Protected items: which one a path means, and how they are read.

use jiff::Timestamp;
use kluis_arm::container::BackupManagementType;
use kluis_arm::id::{ContainerName, ItemName};
use kluis_arm::item::{
    DiskExclusion, ExtendedProperties, HealthDetail, ItemExtendedInfo, ProtectedItem,
    ProtectionState, VmItem,
};
use kluis_arm::resource::Resource;
use kluis_arm::time::{WireTime, time_remaining};
use kluis_policy::State;
use serde_json::json;

use super::job_words::value;
use super::refusals;
use super::rows::{Item, Point};
use crate::core::{Answer, Context, Refusal, Request, Response, VaultPath, page_of};
use crate::estate;
use crate::health::{self, Problem, Severity};
use crate::inventory::Os;
use crate::store::{Row as _, StoreError, Tx};

const TYPE: &str =
    "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems";

/// The machine that the path of an item names: its resource group and its name, in the client's case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) resource_group: String,
    pub(super) vm: String,
}

impl Named {
    /// The machine of `…/protectionContainers/{container}/protectedItems/{item}`.
    ///
    /// Names may come with their prefix or without, as some clients send what properties show.
    pub(super) fn new(container: &str, item: &str) -> Result<Self, Refusal> {
        let of_container = vm_of::<ContainerName>(container, "IaasVMContainer", ContainerName::vm);
        let of_item = vm_of::<ItemName>(item, "VM", ItemName::vm);
        match (of_container, of_item) {
            (Some(container), Some(item)) if container == item => Ok(Self {
                resource_group: item.0.to_string(),
                vm: item.1.to_string(),
            }),
            _ if is_of_another_kind(container) || is_of_another_kind(item) => {
                Err(refusals::not_offered(container, item))
            }
            _ => Err(refusals::invalid_input(format!(
                "'{container}' and '{item}' do not name one virtual machine; the names are \
                 'IaasVMContainer;iaasvmcontainerv2;<resource group>;<name>' and 'VM;iaasvmcontainerv2;<resource group>;<name>'."
            ))),
        }
    }

    /// The item, if there is one.
    pub(super) fn find(&self, at: &VaultPath, tx: &Tx<'_>) -> Result<Option<Item>, Refusal> {
        Ok(tx.get(&Item::key_of(&at.key, &self.resource_group, &self.vm))?)
    }

    /// The item, or 404.
    pub(super) fn item(&self, at: &VaultPath, tx: &Tx<'_>) -> Result<Item, Refusal> {
        self.find(at, tx)?
            .ok_or_else(|| refusals::item_not_found(&self.vm, &at.name))
    }
}

/// Whether a container or an item is named as one that is no virtual machine: a share, a database, a host.
fn is_of_another_kind(name: &str) -> bool {
    let kind = name.split(';').next().unwrap_or_default().to_lowercase();
    let of_item = [
        "azurefileshare",
        "sqldatabase",
        "sqlinstance",
        "sqlavailabilitygroupcontainer",
        "saphanadatabase",
        "saphanasystem",
        "saphanadbinstance",
        "sapasedatabase",
    ];
    let of_container = [
        "storagecontainer",
        "vmappcontainer",
        "sqlagworkloadcontainer",
        "hanahsrcontainer",
        "windows",
        "dpmcontainer",
        "azurebackupservercontainer",
    ];
    of_item.contains(&kind.as_str()) || of_container.contains(&kind.as_str())
}

type Pair = (kluis_arm::id::Name, kluis_arm::id::Name);

fn vm_of<N: std::str::FromStr>(
    text: &str,
    prefix: &str,
    vm: impl Fn(&N) -> Option<Pair>,
) -> Option<Pair> {
    let whole = if text.to_lowercase().starts_with("iaasvmcontainerv2;") {
        format!("{prefix};{text}")
    } else {
        text.to_owned()
    };
    whole.parse::<N>().ok().as_ref().and_then(vm)
}

/// `GET item[?$filter=expand eq 'extendedinfo']`.
pub(super) fn get(
    request: &Request,
    named: &Named,
    at: &VaultPath,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Answer {
    let filter = refusals::filter(request, &["expand"])?;
    let expand = filter
        .get("expand")
        .is_some_and(|what| what.eq_ignore_ascii_case("extendedinfo"));
    let item = named.item(at, tx)?;
    let extended = if expand {
        Some(extended(&item, tx)?)
    } else {
        None
    };
    let shown = Shown::new(item, ctx, tx)?;
    let body = value(&render(&shown, request, at, ctx, extended));
    Ok((Response::ok(body), Vec::new()))
}

/// `GET V/backupProtectedItems[?$filter=…]`.
pub(super) fn list(request: &Request, at: &VaultPath, ctx: &Context<'_>, tx: &Tx<'_>) -> Answer {
    let fields = [
        "backupManagementType",
        "itemType",
        "policyName",
        "containerName",
        "friendlyName",
        "fabricName",
        "healthState",
        "expand",
    ];
    let filter = refusals::filter(request, &fields)?;
    let mut items: Vec<Item> = tx.list(at.key.as_str())?;
    items.retain(|item| {
        filter.allows("backupManagementType", "AzureIaasVM")
            && filter.allows("itemType", "VM")
            && filter.allows("fabricName", "Azure")
            && filter.allows("policyName", &item.policy)
            && filter.allows("friendlyName", &item.vm)
            && (filter.allows("containerName", &item.short_name())
                || filter.allows("containerName", &item.container_name()))
    });
    let shown = |item: Item| {
        let shown = Shown::new(item, ctx, tx)?;
        let is_asked = filter.allows("healthState", health::health_status(&shown.problems));
        let rendered = || value(&render(&shown, request, at, ctx, None));
        Ok(is_asked.then(rendered))
    };
    let page = page_of(request, items, |item| id(item, at), shown)?;
    Ok((page, Vec::new()))
}

/// Its ARM id.
fn id(item: &Item, at: &VaultPath) -> String {
    format!(
        "{}/backupFabrics/Azure/protectionContainers/{}/protectedItems/{}",
        at.id,
        item.container_name(),
        item.item_name()
    )
}

/// An item with what is said of it beside its row.
struct Shown {
    item: Item,
    problems: Vec<Problem>,
    /// Whether its machine runs Linux. False of one that is gone, of which nobody can tell.
    linux: bool,
}

impl Shown {
    fn new(item: Item, ctx: &Context<'_>, tx: &Tx<'_>) -> Result<Self, StoreError> {
        let system = estate::system(ctx, tx, &item.resource_group, &item.vm)?;
        Ok(Self {
            problems: health::item_problems(ctx, tx, &item)?,
            linux: system == Some(Os::Linux),
            item,
        })
    }

    /// Which disks were chosen; and of Linux machines the name of an application, which nobody can give and which Azure tells all the same.
    fn extended_properties(&self) -> Option<ExtendedProperties> {
        let chosen = self.item.disks.as_ref().map(|choice| {
            let luns = choice.luns.iter();
            DiskExclusion {
                disk_lun_list: Some(luns.filter_map(|lun| i32::try_from(*lun).ok()).collect()),
                is_inclusion_list: Some(choice.inclusion),
                ..DiskExclusion::default()
            }
        });
        (self.linux || chosen.is_some()).then(|| ExtendedProperties {
            disk_exclusion_properties: chosen,
            linux_vm_application_name: self.linux.then(String::new),
            ..ExtendedProperties::default()
        })
    }
}

fn render(
    shown: &Shown,
    request: &Request,
    at: &VaultPath,
    ctx: &Context<'_>,
    extended_info: Option<ItemExtendedInfo>,
) -> Resource<ProtectedItem> {
    let Shown { item, problems, .. } = shown;
    let last = item.last_backup.as_ref();
    let purge_at = item.state.purge_at();
    let mut detail = VmItem {
        friendly_name: Some(item.vm.clone()),
        virtual_machine_id: Some(item.vm_id.clone()),
        protection_status: Some(
            if problems
                .iter()
                .any(|problem| problem.severity == Severity::Error)
            {
                "Unhealthy"
            } else {
                "Healthy"
            }
            .to_owned(),
        ),
        protection_state: Some(protection_state(item.state)),
        health_status: Some(health::health_status(problems).to_owned()),
        health_details: health_details(item, problems),
        last_backup_status: Some(match last {
            None => String::new(),
            Some(last) if last.fault.is_some() => "Failed".to_owned(),
            Some(_) => "Completed".to_owned(),
        }),
        last_backup_time: Some(last.map_or_else(WireTime::never, |last| last.began.into())),
        protected_item_data_id: Some(item.data_id.clone()),
        extended_info,
        extended_properties: shown.extended_properties(),
        backup_management_type: Some(BackupManagementType::AzureIaasVm),
        workload_type: Some("VM".to_owned()),
        container_name: Some(item.short_name()),
        source_resource_id: Some(item.vm_id.clone()),
        policy_id: Some(if item.policy.is_empty() {
            String::new()
        } else {
            format!("{}/backupPolicies/{}", at.id, item.policy)
        }),
        policy_name: Some(item.policy.clone()),
        last_recovery_point: item.last_point.map(WireTime::from),
        vault_id: Some(format!("{}{}", request.origin, at.id)),
        is_archive_enabled: Some(false),
        soft_delete_retention_period: Some(0),
        ..VmItem::default()
    };
    detail
        .extra
        .insert("sourceSideScanning".to_owned(), json!(0));
    if let (State::SoftDeleted { since, days, .. }, Some(until)) = (item.state, purge_at) {
        detail.deferred_delete_time_in_utc = Some(since.into());
        detail.is_scheduled_for_deferred_delete = Some(true);
        detail.deferred_delete_time_remaining = Some(time_remaining(until.duration_since(ctx.now)));
        detail.soft_delete_retention_period = Some(i32::from(days));
    }
    Resource::new(&id(item, at), item.item_name(), TYPE, detail.into())
}

fn protection_state(state: State) -> ProtectionState {
    match state {
        State::IrPending => ProtectionState::IrPending,
        State::Protected => ProtectionState::Protected,
        State::Stopped { .. } | State::SoftDeleted { .. } => ProtectionState::ProtectionStopped,
        State::Suspended { .. } => ProtectionState::BackupsSuspended,
    }
}

/// Azure tells nothing of an item before its first backup, and of one that is well that it is.
fn health_details(item: &Item, problems: &[Problem]) -> Option<Vec<HealthDetail>> {
    if !problems.is_empty() {
        return Some(problems.iter().map(health::detail).collect());
    }
    item.last_backup.as_ref().map(|_| {
        vec![HealthDetail {
            code: Some(400_239),
            title: Some("IaasVmHealthGreenDefault".to_owned()),
            message: Some("Backup pre-check status of this virtual machine is OK.".to_owned()),
            recommendations: Some(Vec::new()),
            ..HealthDetail::default()
        }]
    })
}

fn extended(item: &Item, tx: &Tx<'_>) -> Result<ItemExtendedInfo, Refusal> {
    let points = Point::of(tx, &item.key())?;
    let oldest: Option<Timestamp> = points.last().map(|point| point.time);
    let in_the_vault = points.iter().rfind(|point| point.hardened.is_some());
    Ok(ItemExtendedInfo {
        oldest_recovery_point: oldest.map(WireTime::from),
        oldest_recovery_point_in_vault: in_the_vault.map(|point| point.time.into()),
        recovery_point_count: i32::try_from(points.len()).ok(),
        policy_inconsistent: Some(false),
        ..ItemExtendedInfo::default()
    })
}

//! Ids read back what they write, in whatever case and however escaped, and nothing that could leave its place.

use kluis_arm::id::{
    ContainerName, DiskId, IdError, ItemId, ItemName, JobId, Name, NameError, PolicyId,
    RecoveryPointId, ResourceGroupId, SubnetId, VaultId, VirtualNetworkId, VmId, encode,
};
use proptest::prelude::*;

fn name() -> impl Strategy<Value = Name> {
    "[A-Za-z0-9_()é][A-Za-z0-9_.()é-]{0,20}".prop_map(|text| Name::new(text).unwrap())
}

fn group() -> impl Strategy<Value = ResourceGroupId> {
    (name(), name()).prop_map(|(subscription, name)| ResourceGroupId { subscription, name })
}

fn vm() -> impl Strategy<Value = VmId> {
    (group(), name()).prop_map(|(group, name)| VmId {
        subscription: group.subscription,
        resource_group: group.name,
        name,
    })
}

fn vault() -> impl Strategy<Value = VaultId> {
    (group(), name()).prop_map(|(group, name)| group.vault(name))
}

/// The same path as another client may write it.
fn otherwise(path: &str, upper: bool) -> String {
    let path = path.replace(';', "%3B");
    if upper {
        path.to_ascii_uppercase()
    } else {
        format!("{}/", path.to_ascii_lowercase())
    }
}

proptest! {
    #[test]
    fn an_id_reads_back(vault in vault(), vm in vm(), other in name(), upper: bool) {
        let item = ItemId::for_vm(&vault, &vm);
        let point = item.recovery_point(other.clone());
        let policy = vault.policy(other.clone());
        let network = VirtualNetworkId {
            subscription: vm.subscription.clone(),
            resource_group: vm.resource_group.clone(),
            name: other.clone(),
        };
        let subnet = SubnetId { network, name: other.clone() };
        let job = vault.job(other);
        prop_assert_eq!(&otherwise(&subnet.to_string(), upper).parse::<SubnetId>().unwrap(), &subnet);
        prop_assert_eq!(&vault.to_string().parse::<VaultId>().unwrap(), &vault);
        prop_assert_eq!(&encode(&item).parse::<ItemId>().unwrap(), &item);
        prop_assert_eq!(&otherwise(&vm.to_string(), upper).parse::<VmId>().unwrap(), &vm);
        prop_assert_eq!(&otherwise(&item.to_string(), upper).parse::<ItemId>().unwrap(), &item);
        prop_assert_eq!(&otherwise(&point.to_string(), upper).parse::<RecoveryPointId>().unwrap(), &point);
        prop_assert_eq!(&otherwise(&policy.to_string(), upper).parse::<PolicyId>().unwrap(), &policy);
        prop_assert_eq!(&otherwise(&job.to_string(), upper).parse::<JobId>().unwrap(), &job);
        prop_assert_eq!(serde_json::from_value::<ItemId>(serde_json::to_value(&item).unwrap()).unwrap(), item);
    }

    #[test]
    fn what_is_read_is_written_the_same(vault in vault(), vm in vm()) {
        let written = ItemId::for_vm(&vault, &vm).to_string();
        prop_assert_eq!(written.parse::<ItemId>().unwrap().to_string(), written);
    }

    #[test]
    fn a_vm_is_found_in_its_names(vm in vm()) {
        let found = Some((vm.resource_group.clone(), vm.name.clone()));
        prop_assert_eq!(ContainerName::for_vm(&vm).vm(), found.clone());
        prop_assert_eq!(ItemName::for_vm(&vm).as_str().to_lowercase().parse::<ItemName>().unwrap().vm(), found);
    }

    #[test]
    fn no_text_makes_a_name_that_leaves_its_place(text in "\\PC{0,12}|[./\\\\%a]{0,6}|[\\x00-\\x1f]{1,3}") {
        if let Ok(name) = Name::new(text) {
            let path = std::path::Path::new(name.as_str());
            prop_assert_eq!(path.components().count(), 1);
            prop_assert!(path.file_name().is_some_and(|file| file == name.as_str()));
        }
    }

    #[test]
    fn no_text_makes_reading_an_id_panic(text in "\\PC{0,200}|(/?[a-zA-Z;%0-9]{0,12}){0,12}") {
        let _ = text.parse::<ItemId>();
        let _ = text.parse::<VmId>();
    }

    #[test]
    fn names_equal_without_case_are_equal_everywhere(name in name()) {
        use std::hash::{BuildHasher, RandomState};
        let upper = Name::new(name.as_str().to_ascii_uppercase()).unwrap();
        let state = RandomState::new();
        prop_assert_eq!(&name, &upper);
        prop_assert_eq!(state.hash_one(&name), state.hash_one(&upper));
        prop_assert_eq!(name.cmp(&upper), std::cmp::Ordering::Equal);
        prop_assert_eq!(name.folded(), upper.folded());
    }
}

#[test]
fn an_items_path_is_azures() {
    let vault: VaultId =
        "/subscriptions/s/resourceGroups/rg/providers/Microsoft.RecoveryServices/vaults/v"
            .parse()
            .unwrap();
    let vm: VmId =
        "/subscriptions/s/resourcegroups/shop/providers/microsoft.compute/virtualmachines/web-1"
            .parse()
            .unwrap();
    assert_eq!(
        ItemId::for_vm(&vault, &vm).to_string(),
        "/subscriptions/s/resourceGroups/rg/providers/Microsoft.RecoveryServices/vaults/v/backupFabrics/Azure\
         /protectionContainers/IaasVMContainer;iaasvmcontainerv2;shop;web-1/protectedItems/VM;iaasvmcontainerv2;shop;web-1"
    );
    assert_eq!(
        ContainerName::for_vm(&vm).short(),
        "iaasvmcontainerv2;shop;web-1"
    );
    assert!(
        encode(&ItemId::for_vm(&vault, &vm)).ends_with("/VM%3Biaasvmcontainerv2%3Bshop%3Bweb-1")
    );
}

#[test]
fn what_is_not_the_id_says_where() {
    let disk = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/disks/d";
    assert!(disk.parse::<DiskId>().is_ok());
    let Err(IdError::Unexpected {
        expected, found, ..
    }) = disk.parse::<VmId>()
    else {
        panic!("a disk is no VM")
    };
    assert_eq!((expected, found.as_str()), ("virtualMachines", "disks"));
    let longer = format!("{disk}/more");
    let Err(IdError::Unexpected { expected, .. }) = longer.parse::<DiskId>() else {
        panic!("too long a path")
    };
    assert_eq!(expected, "the end");
    let out = "/subscriptions/s/resourceGroups/..%2F..%2Fetc/providers/Microsoft.Compute/disks/d";
    let Err(IdError::Name { reason, .. }) = out.parse::<DiskId>() else {
        panic!("a path is no name")
    };
    assert_eq!(reason, NameError::Unfit("../../etc".to_owned()));
    assert!(matches!(
        "/subscriptions/%ff".parse::<DiskId>(),
        Err(IdError::Encoding(_))
    ));
}

#[test]
fn names_are_refused_for_a_reason() {
    for unfit in [
        ".", "..", "a/b", "a\\b", "a?b", "a#b", "a%b", "a\"b", "a\0b", "a\nb",
    ] {
        assert_eq!(
            Name::new(unfit).unwrap_err(),
            NameError::Unfit(unfit.to_owned())
        );
    }
    assert_eq!(Name::new("").unwrap_err(), NameError::Empty);
    assert_eq!(
        Name::new("x".repeat(261)).unwrap_err(),
        NameError::TooLong(261)
    );
    assert!(Name::new("x".repeat(260)).is_ok());
}

//! How a person names an item and a recovery point on the command line.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

/// `web-1`, `shop/web-1`, or, for a service without a cluster, `shop-rg/vault/shop-rg/web-1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ItemName {
    parts: Vec<String>,
}

/// An item and one of its recovery points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PointName {
    pub(crate) item: ItemName,
    pub(crate) which: Which,
}

/// `policy/daily`, `vm/shop/web-1`, or without a kind: `daily`, `shop/daily`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectName {
    pub(crate) kind: Option<ApprovalKind>,
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
}

/// The kinds whose edits may have to be approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApprovalKind {
    BackupPolicy,
    ProtectedVM,
    Vault,
}

impl ApprovalKind {
    pub(crate) const ALL: [Self; 3] = [Self::BackupPolicy, Self::ProtectedVM, Self::Vault];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BackupPolicy => "BackupPolicy",
            Self::ProtectedVM => "ProtectedVM",
            Self::Vault => "Vault",
        }
    }

    /// By kubectl's words for it.
    fn of(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "policy" | "backuppolicy" | "backuppolicies" | "bpol" => Some(Self::BackupPolicy),
            "vm" | "protectedvm" | "protectedvms" | "pvm" => Some(Self::ProtectedVM),
            "vault" | "vaults" => Some(Self::Vault),
            _ => None,
        }
    }
}

/// Which recovery point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// The newest one.
    Latest,
    /// The one of this name.
    Named(String),
    /// The newest one that is not younger.
    At(Timestamp),
}

impl ItemName {
    /// The namespace, if one was given, and the name of an object.
    pub(crate) fn object(&self) -> Result<(Option<&str>, &str), String> {
        match self.parts.as_slice() {
            [name] => Ok((None, name)),
            [namespace, name] => Ok((Some(namespace), name)),
            _ => Err(format!(
                "'{self}' is no object: that is NAME or NAMESPACE/NAME"
            )),
        }
    }

    /// The vault's resource group, the vault, the machine's resource group, the machine.
    pub(crate) fn in_service(&self) -> Result<[&str; 4], String> {
        match self.parts.as_slice() {
            [vault_group, vault, group, vm] => Ok([vault_group, vault, group, vm]),
            _ => Err(format!(
                "'{self}' is no item of a service: with --credentials that is VAULT-GROUP/VAULT/VM-GROUP/VM"
            )),
        }
    }
}

impl FromStr for ItemName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<String> = text.split('/').map(str::to_owned).collect();
        if parts.iter().any(String::is_empty) || !matches!(parts.len(), 1 | 2 | 4) {
            return Err("it is NAME or NAMESPACE/NAME".to_owned());
        }
        Ok(Self { parts })
    }
}

impl FromStr for ObjectName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('/').collect();
        let of = |kind, namespace: Option<&str>, name: &str| Self {
            kind,
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        };
        match parts.as_slice() {
            parts if parts.contains(&"") => {}
            [name] => return Ok(of(None, None, name)),
            [kind, name] => {
                return Ok(match ApprovalKind::of(kind) {
                    Some(kind) => of(Some(kind), None, name),
                    None => of(None, Some(kind), name),
                });
            }
            [kind, namespace, name] => {
                if let Some(kind) = ApprovalKind::of(kind) {
                    return Ok(of(Some(kind), Some(namespace), name));
                }
            }
            _ => {}
        }
        Err("it is NAME, NAMESPACE/NAME, or one of these after policy/, vm/ or vault/".to_owned())
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(kind) = self.kind {
            write!(f, "{} ", kind.name())?;
        }
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(&self.name)
    }
}

impl FromStr for PointName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (item, which) = match text.split_once('@') {
            None => (text, Which::Latest),
            Some((item, "latest")) => (item, Which::Latest),
            Some((_, "")) => return Err("a recovery point's name is missing after '@'".to_owned()),
            Some((item, point)) => (
                item,
                kluis_api::date_time::parse(point)
                    .map_or_else(|_| Which::Named(point.to_owned()), Which::At),
            ),
        };
        Ok(Self {
            item: item.parse()?,
            which,
        })
    }
}

impl fmt::Display for ItemName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parts.join("/"))
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("the newest recovery point"),
            Self::Named(name) => write!(f, "the recovery point {name}"),
            Self::At(time) => write!(f, "a recovery point at or before {time}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_a_name_a_time_or_the_newest() {
        let which = |text: &str| text.parse::<PointName>().unwrap().which;
        assert_eq!(which("web-1"), Which::Latest);
        assert_eq!(which("shop/web-1@latest"), Which::Latest);
        assert_eq!(which("web-1@56798104"), Which::Named("56798104".to_owned()));
        let moment = "2026-11-22T10:00:00Z".parse().unwrap();
        assert_eq!(which("web-1@2026-11-22T10:00:00Z"), Which::At(moment));
        assert!("web-1@".parse::<PointName>().is_err());
        assert!("a/b/c".parse::<PointName>().is_err());
    }

    #[test]
    fn an_object_may_say_its_kind_and_its_namespace() {
        let said = |text: &str| text.parse::<ObjectName>().map(|name| name.to_string());
        assert_eq!(said("daily"), Ok("daily".to_owned()));
        assert_eq!(said("shop/daily"), Ok("shop/daily".to_owned()));
        assert_eq!(said("policy/daily"), Ok("BackupPolicy daily".to_owned()));
        assert_eq!(
            said("pvm/shop/web-1"),
            Ok("ProtectedVM shop/web-1".to_owned())
        );
        for wrong in ["", "policy/", "a/b/c", "vault/a/b/c"] {
            assert!(said(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_item_is_an_object_or_four_names() {
        let item: ItemName = "shop/web-1".parse().unwrap();
        assert_eq!(item.object(), Ok((Some("shop"), "web-1")));
        assert!(item.in_service().is_err());
        let item: ItemName = "g/v/g2/vm".parse().unwrap();
        assert_eq!(item.in_service(), Ok(["g", "v", "g2", "vm"]));
    }
}

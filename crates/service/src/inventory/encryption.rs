//! How a machine's disks are encrypted inside it, and where the keys of that are: without them in their key vault, what is
//! restored of the machine could be read by nobody (rule 31).

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

/// How the machine's disks are encrypted inside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Encryption {
    /// Not at all, the default.
    #[default]
    None,
    /// By Azure Disk Encryption.
    #[serde(rename = "ADE")]
    Ade,
}

/// Where the keys of encrypted disks are, by names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Keys {
    /// The key vault's resource group.
    pub resource_group: String,
    /// The key vault.
    pub key_vault: String,
    /// The secret in it that opens the disks.
    pub secret: String,
    /// The key in it that opens the secret, where there is one.
    pub key: Option<String>,
}

/// What is in a key vault, by names. What opens anything is never written in an inventory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyVault {
    /// The names of its secrets.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// The names of its keys.
    #[serde(default)]
    pub keys: Vec<String>,
}

/// `None`, `ADE`, or `{ ADE: { keyVault, secret, key } }`.
#[derive(Debug, Default)]
pub(super) struct WrittenEncryption(Encryption, Option<WrittenKeys>);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenKeys {
    resource_group: Option<String>,
    key_vault: String,
    secret: String,
    key: Option<String>,
}

impl WrittenEncryption {
    /// How, and where its keys are: in the machine's resource group unless another is named.
    pub(super) fn understood(self, group: &str) -> (Encryption, Option<Keys>) {
        let keys = self.1.map(|written| Keys {
            resource_group: written.resource_group.unwrap_or_else(|| group.to_owned()),
            key_vault: written.key_vault,
            secret: written.secret,
            key: written.key,
        });
        (self.0, keys)
    }
}

impl<'de> Deserialize<'de> for WrittenEncryption {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl<'de> Visitor<'de> for Written {
            type Value = WrittenEncryption;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("None, ADE, or ADE with its keyVault, secret and key")
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Self::Value, E> {
                match word {
                    "None" => Ok(WrittenEncryption::default()),
                    "ADE" => Ok(WrittenEncryption(Encryption::Ade, None)),
                    _ => Err(E::unknown_variant(word, &["None", "ADE"])),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                #[derive(Deserialize)]
                enum Kind {
                    #[serde(rename = "ADE")]
                    Ade,
                }
                let mut keys = None;
                while let Some((Kind::Ade, found)) = map.next_entry::<Kind, WrittenKeys>()? {
                    keys = Some(found);
                }
                match keys {
                    Some(keys) => Ok(WrittenEncryption(Encryption::Ade, Some(keys))),
                    None => Err(serde::de::Error::missing_field("ADE")),
                }
            }
        }

        deserializer.deserialize_any(Written)
    }
}

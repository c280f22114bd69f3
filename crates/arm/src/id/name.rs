//! One part of a path.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use super::compute::VmId;

/// No resource of this provider has a longer name than an item's, which carries a resource group and a VM.
const LONGEST: usize = 260;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing stands where a name should.
    #[error("a name is empty")]
    Empty,
    /// Longer than any resource of Azure Backup.
    #[error("a name has {0} bytes; the longest allowed has {LONGEST}")]
    TooLong(usize),
    /// It would leave its place in a path.
    #[error("the name {0:?} holds a character that cannot be part of a name, or is `.` or `..`")]
    Unfit(String),
}

/// A name in a path: kept as it was written, equal without regard to ASCII case.
#[derive(Clone)]
pub struct Name(String);

impl Name {
    /// Takes a text for a name.
    ///
    /// # Errors
    /// When it is empty, longer than 260 bytes, `.` or `..`, or holds a control character or one of `/ \ ? # % "`.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > LONGEST {
            return Err(NameError::TooLong(text.len()));
        }
        let unfit = |c: char| c.is_control() || matches!(c, '/' | '\\' | '?' | '#' | '%' | '"');
        if text == "." || text == ".." || text.chars().any(unfit) {
            return Err(NameError::Unfit(text));
        }
        Ok(Self(text))
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form to compare and to key by.
    #[must_use]
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    fn bytes(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.bytes().map(|b| b.to_ascii_lowercase())
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Name {}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.0.eq_ignore_ascii_case(other)
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes().cmp(other.bytes())
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.bytes() {
            state.write_u8(byte);
        }
        state.write_u8(0xff);
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::new(text)
    }
}

/// Declares a name whose parts mean something.
macro_rules! composed {
    ($( $(#[$meta:meta])* $name:ident, $prefix:literal; )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Name);

        impl $name {
            /// The name that Azure gives for this VM.
            #[must_use]
            pub fn for_vm(vm: &VmId) -> Self {
                Self(Name(format!(concat!($prefix, ";iaasvmcontainerv2;{};{}"), vm.resource_group, vm.name)))
            }

            /// The resource group and the name of the VM, when this is a VM's.
            #[must_use]
            pub fn vm(&self) -> Option<(Name, Name)> {
                let mut parts = self.0.as_str().split(';');
                let (kind, generation) = (parts.next()?, parts.next()?);
                let (group, vm) = (parts.next()?, parts.next()?);
                let is_vm = kind.eq_ignore_ascii_case($prefix)
                    && generation.eq_ignore_ascii_case("iaasvmcontainerv2")
                    && parts.next().is_none();
                if is_vm { Some((Name::new(group).ok()?, Name::new(vm).ok()?)) } else { None }
            }

            /// As it was written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }

            /// The form to compare and to key by.
            #[must_use]
            pub fn folded(&self) -> String {
                self.0.folded()
            }

            /// Without its first part: `iaasvmcontainerv2;group;vm`, as properties and jobs name a VM's container.
            #[must_use]
            pub fn short(&self) -> &str {
                self.as_str().split_once(';').map_or(self.as_str(), |(_, rest)| rest)
            }
        }

        impl From<Name> for $name {
            fn from(name: Name) -> Self {
                Self(name)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Name::new(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    )*};
}

composed! {
    /// A container's name, such as `IaasVMContainer;iaasvmcontainerv2;shop-rg;web-1`.
    ContainerName, "IaasVMContainer";
    /// A protected item's name, such as `VM;iaasvmcontainerv2;shop-rg;web-1`.
    ItemName, "VM";
}

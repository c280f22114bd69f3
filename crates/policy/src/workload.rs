//! What a policy is for: the workloads whose schedules, retention and limits differ.

/// A kind of thing that is backed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Workload {
    /// A virtual machine with its disks.
    VirtualMachine,
    /// A database of SQL Server in a virtual machine.
    SqlServer,
    /// A database of SAP HANA in a virtual machine.
    SapHana,
    /// A PostgreSQL server or database.
    PostgreSql,
    /// A share of Azure Files.
    FileShare,
    /// A managed disk by itself.
    Disk,
    /// Files and folders of a host.
    Files,
}

impl Workload {
    /// All of them, in the order in which they are listed to people.
    pub const ALL: [Self; 7] = [
        Self::VirtualMachine,
        Self::SqlServer,
        Self::SapHana,
        Self::PostgreSql,
        Self::FileShare,
        Self::Disk,
        Self::Files,
    ];

    /// As a person writes it: `SQLServer`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::VirtualMachine => "VirtualMachine",
            Self::SqlServer => "SQLServer",
            Self::SapHana => "SAPHana",
            Self::PostgreSql => "PostgreSQL",
            Self::FileShare => "FileShare",
            Self::Disk => "Disk",
            Self::Files => "Files",
        }
    }

    /// In a sentence, in the plural: `virtual machines`.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::VirtualMachine => "virtual machines",
            Self::SqlServer => "SQL Server",
            Self::SapHana => "SAP HANA",
            Self::PostgreSql => "PostgreSQL",
            Self::FileShare => "file shares",
            Self::Disk => "disks",
            Self::Files => "files",
        }
    }
}

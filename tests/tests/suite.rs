//! The suites that need real parts: one binary, so that they share one API server.

#[cfg(test)]
mod apiserver;
#[cfg(test)]
mod approvals;
#[cfg(test)]
mod approve;
#[cfg(test)]
mod architecture;
#[cfg(test)]
mod argocd;
#[cfg(test)]
mod az;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod between_fields;
#[cfg(test)]
mod boundaries;
#[cfg(test)]
mod brought;
#[cfg(test)]
mod cancel;
#[cfg(test)]
mod chart;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod convergence;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod crds;
#[cfg(test)]
mod crowd;
#[cfg(test)]
mod disks;
#[cfg(test)]
mod edit_budget;
#[cfg(test)]
mod endings;
#[cfg(test)]
mod every_restore;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod fleets;
#[cfg(test)]
mod full_disk;
#[cfg(test)]
mod image;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod machine_limits;
#[cfg(test)]
mod manifests;
#[cfg(test)]
mod merge;
#[cfg(test)]
mod missed_run;
#[cfg(test)]
mod names;
#[cfg(test)]
mod odd_manifests;
#[cfg(test)]
mod operations;
#[cfg(test)]
mod outlook;
#[cfg(test)]
mod person;
#[cfg(test)]
mod preview;
#[cfg(test)]
mod protect;
#[cfg(test)]
mod python;
#[cfg(test)]
mod restores;
#[cfg(test)]
mod side_by_side;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod soft_delete;
#[cfg(test)]
mod stalled_vault;
#[cfg(test)]
mod states;
#[cfg(test)]
mod summer_time;
#[cfg(test)]
mod targets;
#[cfg(test)]
mod traces;
#[cfg(test)]
mod validate;
#[cfg(test)]
mod wrong_dates;

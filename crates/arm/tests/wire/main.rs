//! The wire's types against what Microsoft published and what the real service was recorded to say, and their own laws.
//!
//! The published specification and the recordings are data beside the work tree (`KLUIS_AZURE_DIR`); where they are
//! absent, the tests that need them say so and pass.

#[cfg(test)]
mod any_terms;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod databases;
#[cfg(test)]
mod edits;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod ids;
#[cfg(test)]
mod known;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod mangled;
#[cfg(test)]
mod names;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod published;
#[cfg(test)]
mod readback;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod texts;
#[cfg(test)]
mod traces;
#[cfg(test)]
mod workloads;
#[cfg(test)]
mod zones;

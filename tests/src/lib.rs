//! What the suites and the demo stand on: a real Kubernetes API server, the
//! real `kluis` binary as operator and as service, real disks, stock restic.
//!
//! Nothing here knows how Kluis decides anything. It starts processes, speaks
//! to them as a person would (kubectl, HTTPS, files) and waits for what they
//! say with a deadline, never with a pause that is hoped to be long enough.

pub mod audit;
pub mod azure;
pub mod bench;
pub mod binary;
pub mod cluster;
pub mod controlplane;
pub mod debian;
pub mod demo;
pub mod disk;
pub mod files;
pub mod go;
pub mod helm;
pub mod https;
pub mod image;
pub mod kubectl;
pub mod lua;
pub mod node;
pub mod operator;
pub mod pki;
pub mod place;
pub mod pods;
pub mod portal;
pub mod process;
pub mod qemu;
pub mod restic;
pub mod scrape;
pub mod service;
pub mod until;
pub mod venv;
pub mod world;
